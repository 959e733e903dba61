import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer as httpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { onnxBackend } from '../../adapters/backends/onnx.ts'
import { typescriptBackend } from '../../adapters/backends/typescript.ts'
import { parseArguments } from '../../adapters/cli/parse.ts'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { nodePlatform } from '../../adapters/platform/node.ts'
import { ArchiveStore } from '../../adapters/sagemaker/archive-store.ts'
import { diskStore } from '../../adapters/stores/disk.ts'
import { type OpenStores, openStores } from '../../adapters/stores/open.ts'
import { openFunction } from '../../adapters/targets/lambda/function.ts'
import { createServer, type Server } from '../../core/server.ts'
import { buildWorker } from '../adapters/backends/typescript-rig.ts'
import { NO_GCS, testGcs } from '../helpers/gcs-server.ts'
import { NO_S3, testS3 } from '../helpers/s3-server.ts'
import { testLog } from '../helpers/test-log.ts'

const MODELS = join(import.meta.dirname, '../../models')
const folder = mkdtempSync(join(tmpdir(), 'nereid-digests-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
if (NO_S3 !== undefined) console.log(`skipped: digests of models on S3: ${NO_S3}`)
if (NO_GCS !== undefined) console.log(`skipped: digests of models on Cloud Storage: ${NO_GCS}`)

/** A place where models lie, as its owner and as somebody who got in fills it. */
interface Place {
  readonly root: string
  readonly env: Readonly<Record<string, string>>
  put(path: string, content: Uint8Array | string): Promise<void>
  remove(path: string): Promise<void>
}

const worker = buildWorker()
afterAll(() => worker.remove())
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
let count = 0
const fresh = (): string => {
  const path = join(folder, `place-${count++}`)
  mkdirSync(path)
  return path
}

function onDisk(root: string = fresh()): Place {
  return {
    root,
    env: {},
    put: async (path, content) => {
      mkdirSync(join(root, path, '..'), { recursive: true })
      writeFileSync(join(root, path), content)
    },
    remove: async (path) => {
      rmSync(join(root, path))
      const parent = join(root, path, '..')
      if (readdirSync(parent).length === 0) rmdirSync(parent)
    },
  }
}

async function onS3(): Promise<Place> {
  const s3 = await testS3()
  closing.push(() => s3.stop())
  return {
    root: `${s3.root}/models`,
    env: { ...s3.env, AWS_REGION: 'us-east-1' },
    put: (path, content) => s3.put(`models/${path}`, content),
    remove: (path) => s3.remove(`models/${path}`),
  }
}

async function onGcs(): Promise<Place> {
  const gcs = await testGcs()
  closing.push(() => gcs.stop())
  return {
    root: `gs://${gcs.bucket}/models`,
    env: gcs.env,
    put: (path, content) => gcs.put(`models/${path}`, content),
    remove: (path) => gcs.remove(`models/${path}`),
  }
}

/** A web server whose manifest is made by whoever writes its files. */
async function onTheWeb(): Promise<Place> {
  const root = fresh()
  const server = httpServer((request, response) => {
    const path = join(root, request.url ?? '')
    if (request.url === '/repository.json') response.end(manifestOf(root))
    else
      response
        .writeHead(existsSync(path) ? 200 : 404)
        .end(existsSync(path) ? readFileSync(path) : '')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { ...onDisk(root), root: `http://127.0.0.1:${port}` }
}

function manifestOf(root: string): string {
  const files: Record<string, { size: number; sha256: string }> = {}
  for (const line of sha256sum(root).trim().split('\n')) {
    const [sha256 = '', path = ''] = line.split('  ./')
    files[path] = { sha256, size: readFileSync(join(root, path)).length }
  }
  return JSON.stringify({ version: 1, files })
}

function sha256sum(root: string): string {
  return execFileSync('sh', ['-c', 'find . -type f -exec sha256sum {} +'], {
    cwd: root,
    encoding: 'utf8',
  })
}

/** What the owner signed off: `models/digits` as it is in this repository. */
function listOf(model: string): string {
  const list = join(folder, `list-${count++}`)
  writeFileSync(list, sha256sum(join(MODELS, model)).replaceAll('  ./', `  ./${model}/`))
  return list
}

async function fill(place: Place, model: string): Promise<void> {
  for (const file of readdirSync(join(MODELS, model), { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name)
    if (file.isFile()) await place.put(path.slice(MODELS.length + 1), readFileSync(path))
  }
}

async function serverOn(
  place: Place,
  digestFile: string,
): Promise<{ server: Server; lines: string[]; stores: OpenStores }> {
  const { log, lines } = testLog()
  const clock = nodeClock()
  const stores = await openStores({
    roots: [place.root],
    cacheFolder: fresh(),
    cacheBytes: 0,
    digestFile,
    home: folder,
    env: place.env,
    log,
  })
  const server = await createServer({
    platform: { clock, log },
    stores: stores.stores,
    guard: stores.guard,
    backends: [onnxBackend({ clock }), typescriptBackend({ clock, worker: worker.worker })],
    options: { modelControlMode: 'explicit' },
  })
  closing.push(async () => {
    await server.close(1000)
    await stores.close()
  })
  return { server, lines, stores }
}

describe.each([
  { where: 'a disk', open: async () => onDisk(), missing: undefined },
  { where: 'S3', open: onS3, missing: NO_S3 },
  { where: 'Google Cloud Storage', open: onGcs, missing: NO_GCS },
  { where: 'a web server', open: onTheWeb, missing: undefined },
])('with --model-digest-file, a model on $where', ({ open, missing }) => {
  test.skipIf(missing !== undefined)(
    'is loaded as listed; whatever else lies there then is refused by name, and the model goes on serving',
    { timeout: 60_000 },
    async () => {
      const place = await open()
      await fill(place, 'digits')
      const list = listOf('digits')
      const { server, lines } = await serverOn(place, list)
      await server.load('digits', {})
      expect(server.modelReady('digits', '')).toBe(true)
      const original = (path: string) => readFileSync(join(MODELS, path))

      for (const [path, content] of [
        ['digits/1/model.onnx', original('iris/1/model.onnx')],
        ['digits/1/weights.bin', 'unknown'],
        ['digits/config.pbtxt', `${original('digits/config.pbtxt')}\n# changed`],
        ['digits/labels.txt', 'one\ntwo\n'],
        ['digits/2/model.onnx', original('iris/1/model.onnx')],
      ] as const) {
        await place.put(path, content)
        lines.length = 0
        await expect(server.load('digits', {}), path).rejects.toThrow(/failed to load|load failed/)
        expect(lines.join('\n')).toContain(`'${path}' of '${place.root}' is not as`)
        expect(server.modelReady('digits', '1'), path).toBe(true)
        if (existsSync(join(MODELS, path))) await place.put(path, original(path))
        else await place.remove(path)
      }
      await server.load('digits', {})
      expect(server.modelReady('digits', '1')).toBe(true)
    },
  )
})

test('a file that comes with a load request is refused unless it is listed', async () => {
  const list = listOf('digits')
  const { server } = await serverOn(onDisk(), list)
  const config = '{"max_batch_size": 0, "backend": "onnxruntime"}'
  const load = (model: string) =>
    server.load('digits', {
      config,
      files: new Map([['1/model.onnx', readFileSync(join(MODELS, model, '1/model.onnx'))]]),
    })
  await expect(load('iris')).rejects.toThrow(
    /'digits\/1\/model\.onnx' of 'files of the load request/,
  )
  expect(server.modelReady('digits', '')).toBe(false)
})

test('code of a model, and what lies beside it, is refused unless it is listed', async () => {
  const name = 'digit_photo_label'
  const place = onDisk()
  await fill(place, name)
  await place.put(`${name}/1/helper.js`, 'export const x = 1')
  const { server } = await serverOn(place, listOf(name))
  await expect(server.load(name, {})).rejects.toThrow(`'${name}/1/helper.js'`)
  await place.remove(`${name}/1/helper.js`)
  await server.load(name, {})
  const code = `${name}/1/model.js`
  await place.put(code, `${readFileSync(join(MODELS, code))}\n`)
  await expect(server.load(name, {})).rejects.toThrow(`'${code}'`)
})

test('an archive that SageMaker unpacks is verified below its own folder', async () => {
  const place = onDisk()
  cpSync(join(MODELS, 'digits'), join(place.root, 'model'), { recursive: true })
  const { stores } = await serverOn(onDisk(), listOf('digits'))
  const archives = new ArchiveStore('archives')
  const store = stores.guard(diskStore({ root: place.root }), 'model')
  await archives.mount('m', { store, folder: 'model' })
  const release = await archives.localise('m/1')
  const path = await archives.localPath('m/1/model.onnx')
  expect(readFileSync(path)).toEqual(readFileSync(join(MODELS, 'digits/1/model.onnx')))
  expect(path.startsWith(place.root)).toBe(false)
  release()
  await place.put('model/1/model.onnx', 'other')
  await expect(archives.localise('m/1')).rejects.toThrow(/'1\/model\.onnx' of/)
})

describe('a function', () => {
  async function initOf(root: string, list: string): Promise<string> {
    const env = {
      NEREID_MODEL_REPOSITORY: root,
      NEREID_MODEL_DIGEST_FILE: list,
      NEREID_REPOSITORY_CACHE_DIRECTORY: fresh(),
      NEREID_LOG_INFO: 'false',
      NEREID_LOG_ERROR: 'false',
    }
    const parsed = parseArguments({ argv: [], env, program: 'nereid' })
    if (parsed.kind !== 'serve') throw new Error(JSON.stringify(parsed))
    const { options } = parsed
    const platform = nodePlatform({ settings: options.log })
    return openFunction({ options, platform, env }).then(
      () => 'ready',
      (error: Error) => error.message,
    )
  }

  test('does not start with a model that is not as listed, nor with a list that is none', async () => {
    const place = onDisk()
    await fill(place, 'digits')
    const list = listOf('digits')
    expect(await initOf(place.root, list)).toBe('ready')
    await place.put('digits/1/model.onnx', readFileSync(join(MODELS, 'iris/1/model.onnx')))
    expect(await initOf(place.root, list)).toMatch(/'digits\/1\/model\.onnx' of/)
    expect(await initOf(place.root, join(folder, 'none'))).toMatch(/--model-digest-file.*ENOENT/)
  })
})
