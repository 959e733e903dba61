import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { modelCache } from '../../../adapters/stores/cache.ts'
import { manifestFiles } from '../../../adapters/stores/manifest.ts'
import { remoteStore } from '../../../adapters/stores/remote.ts'
import type { ModelStore } from '../../../core/platform.ts'
import { STORE_FILES, storeContract } from '../../contract/store.ts'
import { testLog } from '../../helpers/test-log.ts'

const SCRIPT = fileURLToPath(new URL('../../../infra/manifest.ts', import.meta.url))

let folder = ''
let server: Server
let url = ''
let count = 0
/** What was asked for, as `path range`. */
const asked: string[] = []
/** Answers that are cut off after so many bytes. */
const cuts: number[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nereid-manifest-'))
  server = createServer((request, response) => {
    const path = join(folder, decodeURIComponent(request.url ?? ''))
    const { range } = request.headers
    asked.push(`${request.url} ${range ?? ''}`)
    if (request.url?.startsWith('/moved/')) {
      response.writeHead(302, { location: '/elsewhere/repository.json' }).end()
      return
    }
    if (!existsSync(path)) {
      response.writeHead(404).end('no such file')
      return
    }
    const from = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0)
    const body = readFileSync(path).subarray(from)
    const cut = path.endsWith('.json') ? undefined : cuts.shift()
    response.writeHead(range === undefined ? 200 : 206, { 'content-length': body.length })
    if (cut === undefined) response.end(body)
    else response.write(body.subarray(0, cut), () => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => {
  asked.length = 0
  cuts.length = 0
})

function write(root: string, path: string, content: Uint8Array | string): void {
  mkdirSync(dirname(join(folder, root, path)), { recursive: true })
  writeFileSync(join(folder, root, path), content)
}

/** What the script for it writes. */
function publish(root: string): void {
  execFileSync(process.execPath, ['--import', 'tsx', SCRIPT, join(folder, root)])
}

function repository(files: ReadonlyMap<string, Uint8Array | string>): string {
  const root = `repository-${count++}`
  for (const [path, content] of files) write(root, path, content)
  publish(root)
  return root
}

function open(root: string, withCache: boolean): ModelStore {
  const local = modelCache({
    folder: join(folder, `cache-of-${root}`),
    maxBytes: 0,
    log: testLog().log,
  })
  const files = manifestFiles({ root: `${url}/${root}/` })
  return remoteStore(withCache ? { files, local } : { files })
}

async function pin(store: ModelStore, path: string): Promise<ModelStore> {
  const view = await store.pin?.(path)
  if (view === undefined) throw new Error('nothing was pinned')
  return view
}

for (const withCache of [false, true]) {
  storeContract(
    `a manifest on a web server, ${withCache ? 'with' : 'without'} copies`,
    async () => {
      const root = repository(STORE_FILES)
      return {
        store: open(root, withCache),
        async replace(path, content) {
          write(root, path, content)
          publish(root)
        },
      }
    },
  )
}

describe('a manifest on a web server', () => {
  it('tells of empty folders, and names with odd characters are found', async () => {
    const root = `repository-${count++}`
    mkdirSync(join(folder, root, 'ensemble/1'), { recursive: true })
    write(root, 'm/1/a b#c?.txt', 'odd')
    publish(root)
    const store = open(root, false)
    expect(await store.stat('ensemble/1')).toMatchObject({ kind: 'directory' })
    expect(new TextDecoder().decode(await store.read('m/1/a b#c?.txt'))).toBe('odd')
  })

  it('goes on where a connection broke', async () => {
    const content = 'x'.repeat(200_000)
    const root = repository(new Map([['m/1/model.onnx', content]]))
    cuts.push(50_000, 60_000)
    const view = await pin(open(root, true), 'm')
    await view.localise?.('m/1')
    expect(readFileSync((await view.localPath?.('m/1/model.onnx')) ?? '', 'utf8')).toBe(content)
    expect(asked.filter((one) => /model\.onnx bytes=\d+-/.test(one))).toHaveLength(2)
  })

  it.each([true, false])(
    'refuses what is not what the manifest says (copies: %s)',
    async (withCache) => {
      const root = repository(new Map([['m/1/model.onnx', 'the model']]))
      const view = await pin(open(root, withCache), 'm')
      for (const other of ['the other', 'longer than it was', 'short']) {
        write(root, 'm/1/model.onnx', other)
        const load = withCache ? view.localise?.('m/1') : view.read('m/1/model.onnx')
        await expect(load).rejects.toThrow(
          other === 'short' ? /failed after 5 of 9 bytes/ : /was replaced while it was read/,
        )
      }
      rmSync(join(folder, root, 'm/1/model.onnx'))
      const gone = withCache ? view.localise?.('m/1') : view.read('m/1/model.onnx')
      await expect(gone).rejects.toMatchObject({ name: 'ReplacedError' })
    },
  )

  it('is asked once for what is there already', async () => {
    const root = repository(new Map([['m/1/model.onnx', 'the model']]))
    for (let start = 0; start < 3; start++) {
      const view = await pin(open(root, true), 'm')
      await view.localise?.('m/1')
      expect(readFileSync((await view.localPath?.('m/1/model.onnx')) ?? '', 'utf8')).toBe(
        'the model',
      )
    }
    expect(asked.filter((one) => one.includes('model.onnx'))).toHaveLength(1)
  })

  it('whose paths lead out of the copies is refused', async () => {
    const sha256 = 'a'.repeat(64)
    for (const path of [
      '../evil',
      'm/../../evil',
      '/etc/passwd',
      'm//1',
      'm/%2e%2e/x',
      'm/\\..\\x',
      'm/\u0000',
    ]) {
      const root = `repository-${count++}`
      write(
        root,
        'repository.json',
        JSON.stringify({ version: 1, files: { [path]: { size: 1, sha256 } } }),
      )
      await expect(open(root, true).list('')).rejects.toThrow(
        /^cannot use manifest '.*': invalid path segment/,
      )
    }
  })

  it.each([
    ['{"version": 1, "files": ', /JSON/],
    ['[]', /no JSON object/],
    ['{"version": 2, "files": {}}', /version must be 1, got 2/],
    ['{"version": 1}', /no object 'files'/],
    [
      '{"version": 1, "files": {"a": {"size": -1}}}',
      /size of 'a' must be a number of bytes, got -1/,
    ],
    ['{"version": 1, "files": {"a": {"size": 1}}}', /sha256 of 'a' must be 64 hex/],
    ['{"version": 1, "files": {}, "folders": [7]}', /folders/],
  ])('that reads %s says what is wrong', async (text, reason) => {
    const root = `repository-${count++}`
    write(root, 'repository.json', text)
    await expect(open(root, false).list('')).rejects.toThrow(reason)
  })

  it('follows no redirect, and says where there is no manifest', async () => {
    await expect(open('moved', false).list('')).rejects.toThrow(
      /cannot read '.*repository.json': .*redirect/,
    )
    expect(asked.some((one) => one.startsWith('/elsewhere'))).toBe(false)
    await expect(open('nowhere', false).list('')).rejects.toThrow(
      /status 404, a repository on a web server needs a manifest/,
    )
  })

  it('is not named with credentials, which would end up in logs', () => {
    for (const root of ['https://user:secret@host/models', 'https://host/models?token=secret']) {
      expect(() => manifestFiles({ root })).toThrow(/without user, query or fragment/)
    }
    expect(() => manifestFiles({ root: 'https://user:secret@host/models' })).not.toThrow(/secret/)
  })
})

describe('copies of models', () => {
  it('are refused a folder in which others can write', async () => {
    const root = repository(new Map([['m/1/model.onnx', 'the model']]))
    const shared = join(folder, `cache-of-${root}`, 'v1')
    mkdirSync(shared, { recursive: true })
    execFileSync('chmod', ['777', shared])
    const view = await pin(open(root, true), 'm')
    await expect(view.localise?.('m/1')).rejects.toThrow(
      /cannot keep copies of models in .* can be written by, another user.*--repository-cache-directory/,
    )
  })

  it('that lost a file, or were cut, are made again', async () => {
    const root = repository(
      new Map([
        ['m/1/a', 'aaaa'],
        ['m/1/b', 'bbbb'],
      ]),
    )
    const path = async (): Promise<string> => {
      const view = await pin(open(root, true), 'm')
      await view.localise?.('m/1')
      return (await view.localPath?.('m/1')) ?? ''
    }
    const first = await path()
    rmSync(join(first, 'a'))
    writeFileSync(join(await path(), 'b'), 'b')
    const last = await path()
    expect([readFileSync(join(last, 'a'), 'utf8'), readFileSync(join(last, 'b'), 'utf8')]).toEqual([
      'aaaa',
      'bbbb',
    ])
  })

  it('go on after a power cut with what was complete', async () => {
    const root = repository(
      new Map([
        ['m/1/a', 'aaaa'],
        ['m/1/b', 'bbbb'],
      ]),
    )
    const view = await pin(open(root, true), 'm')
    await view.localise?.('m/1')
    const done = dirname((await view.localPath?.('m/1')) ?? '')
    // As if it had ended before the last file and the name of all.
    cpSync(done, `${done}.partial`, { recursive: true })
    rmSync(done, { recursive: true })
    rmSync(join(`${done}.partial`, 'entry.json'))
    rmSync(join(`${done}.partial`, 'files/b'))
    asked.length = 0
    await (await pin(open(root, true), 'm')).localise?.('m/1')
    expect(asked.filter((one) => one.includes('/m/1/')).map((one) => one.trim())).toEqual([
      `/${root}/m/1/b`,
    ])
    expect(readFileSync(join(done, 'files/a'), 'utf8')).toBe('aaaa')
  })
})
