import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { buildSync } from 'esbuild'
import { afterAll, describe, expect, test } from 'vitest'
import { onnxNodeBackend } from '../../../adapters/backends/onnx-node.ts'
import { backendContract, execute, floats, requestOf } from '../../contract/backend.ts'
import { fixture, onnxModels, realClock } from './onnx-fixtures.ts'

// The worker as a target ships it: a file of its own, written by the bundler.
const folder = mkdtempSync(join(tmpdir(), 'nereid-worker-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const root = fileURLToPath(new URL('../../..', import.meta.url))
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
const outfile = join(folder, 'onnx-node-worker.mjs')
buildSync({
  entryPoints: [join(root, 'adapters/backends/onnx-node-worker.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  external: ['onnxruntime-node'],
})
const worker = { url: pathToFileURL(outfile) }

const { broken: _ofFfi, ...models } = onnxModels

backendContract({
  name: 'onnxruntime (onnxruntime-node in workers)',
  create: () => onnxNodeBackend({ clock: realClock, worker }),
  models: {
    ...models,
    broken: [
      { source: fixture('absent'), message: /^unable to find '.*absent\.onnx' for model instance/ },
      {
        source: fixture('text', { default_model_filename: 'make.py' }),
        message: /^onnx runtime error 7: Load model from .*make\.py failed:Protobuf parsing failed/,
      },
      { source: fixture('sequence'), message: /'ONNX_TYPE_TENSOR'/ },
    ],
  },
  unsupported: { BF16: 'the binding has no such tensor type' },
  exceptions: {
    nulBytes: 'the binding takes JavaScript strings, cut at NUL and decoded as UTF-8',
    cancel: 'the binding cannot stop a run',
  },
})

describe('onnxruntime-node backend', () => {
  const backend = onnxNodeBackend({ clock: realClock, worker })
  afterAll(() => backend.close?.())

  test('it refuses GPU instances and says what it has', async () => {
    const model = await backend.load(fixture('tiny_mlp'))
    const gpu = { name: 'tiny_0_gpu0', kind: 'KIND_GPU', device: 0 } as const
    await expect(model.instance(gpu, {})).rejects.toThrow(/KIND_GPU.*CPUExecutionProvider/)
    await model.close()
  })

  test('a worker file that is not there is a load error', async () => {
    const url = new URL('./no-such-worker.js', import.meta.url)
    const broken = onnxNodeBackend({ clock: realClock, worker: { url } })
    await expect(broken.load(fixture('tiny_mlp'))).rejects.toThrow()
  })

  test('an aborted load ends its worker', async () => {
    const abort = new AbortController()
    const load = backend.load(fixture('tiny_mlp'), abort.signal)
    abort.abort(new Error('unloaded meanwhile'))
    await expect(load).rejects.toThrow('unloaded meanwhile')
  })

  test('the event loop is free while a run is in progress', async () => {
    const model = await backend.load(fixture('identity_fp32'))
    const cpu = { name: 'x_0', kind: 'KIND_CPU', device: 0 } as const
    const instance = await model.instance(cpu, { max_batch_size: 8 })
    const order: string[] = []
    const input = { name: 'X', datatype: 'FP32', shape: [1, 2], data: floats([1, 2]) } as const
    const run = execute(instance, [requestOf([input])]).then(() => order.push('answer'))
    order.push('free')
    await run
    expect(order).toEqual(['free', 'answer'])
    expect(input.data.length).toBe(8)
    await model.close()
  })
})
