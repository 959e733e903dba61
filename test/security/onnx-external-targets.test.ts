import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as ort from 'onnxruntime-web'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onnxBackend } from '../../adapters/backends/onnx.ts'
import { onnxWebBackend } from '../../adapters/backends/onnx-web.ts'
import { modelCache } from '../../adapters/stores/cache.ts'
import { memoryStore } from '../../adapters/stores/memory.ts'
import { remoteStore } from '../../adapters/stores/remote.ts'
import { s3Files } from '../../adapters/stores/s3.ts'
import type { ModelSource } from '../../core/backend/types.ts'
import { realClock, silentLog } from '../adapters/backends/onnx-fixtures.ts'
import { floats } from '../contract/backend.ts'
import { KINDS } from '../helpers/onnx-bytes.ts'
import { NO_S3, type TestS3, testS3 } from '../helpers/s3-server.ts'

ort.env.wasm.numThreads = 1
ort.env.logLevel = 'fatal'
const folder = mkdtempSync(join(tmpdir(), 'nereid-external-'))
const secret = join(folder, 'secret.bin')
beforeAll(() => writeFileSync(secret, floats([666, 667])))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const OUTSIDE: Readonly<Record<string, string>> = {
  'a path upwards': '../../../../../secret.bin',
  'a file of another model': '../../other/1/weights.bin',
  'an absolute path': secret,
  'a URL': 'https://models.example.org/weights.bin',
  'a memory address': '*/_ORT_MEM_ADDR_/*',
}

const source = (store: ModelSource['store']): ModelSource => ({
  name: 'm',
  version: 1,
  config: { name: 'm', max_batch_size: 0 },
  settings: new Map(),
  store,
  modelPath: 'm',
  versionPath: 'm/1',
  log: silentLog,
})

describe('external data of ONNX models in a browser', () => {
  const runtime = async () => ort
  const backend = onnxWebBackend({ clock: realClock, runtime, webgpu: false })
  test.each(Object.entries(OUTSIDE))('%s is refused before ONNX Runtime sees it', async (_, at) => {
    for (const build of Object.values(KINDS)) {
      const files = new Map([['m/1/model.onnx', build(at)]])
      await expect(backend.load(source(memoryStore({ files })))).rejects.toThrow(
        /keeps tensors in other files/,
      )
    }
  })
})

if (NO_S3 !== undefined) console.log(`external data of models on S3: skipped, ${NO_S3}`)
describe.skipIf(NO_S3 !== undefined)('external data of ONNX models on S3', () => {
  const backend = onnxBackend({ clock: realClock })
  let s3: TestS3
  beforeAll(async () => {
    s3 = await testS3()
    await s3.put('repository/other/1/weights.bin', floats([666, 667]))
  })
  afterAll(async () => {
    await backend.close?.()
    await s3?.stop()
  })

  /** Loads model `m` of a bucket as a server does that has none of it yet. */
  async function load(files: Readonly<Record<string, Uint8Array>>): Promise<void> {
    for (const [path, bytes] of Object.entries(files)) await s3.put(`repository/${path}`, bytes)
    const remote = s3Files({ root: `${s3.root}/repository`, env: s3.env, log: silentLog })
    const local = modelCache({ folder: join(folder, 'cache'), maxBytes: 0, log: silentLog })
    const store = remoteStore({ files: remote, local, now: () => Number.MAX_SAFE_INTEGER })
    const view = await store.pin?.('m')
    if (view === undefined) throw new Error('nothing was pinned')
    try {
      await view.localise?.('m/1')
      await (await backend.load(source(view))).close()
    } finally {
      await remote.close?.()
    }
  }

  test.each(Object.entries(OUTSIDE))('%s is refused before ONNX Runtime sees it', async (_, at) => {
    for (const build of Object.values(KINDS)) {
      await expect(load({ 'm/1/model.onnx': build(at) })).rejects.toThrow(
        /refers to external data at /,
      )
    }
  })

  test('weights in an object beside the model are used', async () => {
    const model = KINDS['initializer']?.('weights.bin') ?? new Uint8Array()
    await load({ 'm/1/model.onnx': model, 'm/1/weights.bin': floats([10, 20]) })
  })
})
