import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as ort from 'onnxruntime-web'
import { afterAll, describe, expect, test } from 'vitest'
import { nodeDomains } from '../../../adapters/backends/onnx-domains.ts'
import { onnxWebBackend } from '../../../adapters/backends/onnx-web.ts'
import type { WebRuntime } from '../../../adapters/backends/onnx-web-session.ts'
import { diskStore } from '../../../adapters/stores/disk.ts'
import type { Log } from '../../../core/platform.ts'
import { backendContract, execute, floats, requestOf } from '../../contract/backend.ts'
import { fixture, onnxModels, realClock } from './onnx-fixtures.ts'

// The package's own build for Node: the same wasm that a browser gets, without WebGPU.
ort.env.wasm.numThreads = 1
ort.env.logLevel = 'fatal'
const wasm = async (): Promise<WebRuntime> => ort

const { broken: _ofFfi, ...models } = onnxModels

backendContract({
  name: 'onnxruntime (onnxruntime-web, wasm)',
  create: () => onnxWebBackend({ clock: realClock, runtime: wasm, webgpu: false }),
  models: {
    ...models,
    broken: [
      { source: fixture('absent'), message: /^unable to find '.*absent\.onnx' for model instance/ },
      {
        source: fixture('text', { default_model_filename: 'make.py' }),
        message: /^onnx runtime error 7: Load model from .*make\.py failed:Protobuf parsing failed/,
      },
    ],
  },
  unsupported: { BF16: 'the binding has no such tensor type' },
  exceptions: {
    nulBytes: 'the binding takes JavaScript strings, cut at NUL and decoded as UTF-8',
    cancel: 'the binding cannot stop a run',
  },
})

test('domains of a model’s operators are read from its bytes; what is cut off has none', () => {
  const read = (path: string): Uint8Array =>
    readFileSync(new URL(`../../../models/${path}/model.onnx`, import.meta.url))
  expect([...nodeDomains(read('iris/1'))]).toContain('ai.onnx.ml')
  expect([...nodeDomains(read('digits/1'))]).toEqual([''])
  for (let seed = 1; seed <= 200; seed++) {
    const broken = read('iris/1').slice(0, 4096)
    for (let i = 0; i < 5; i++) broken[(seed * 2654435761 * (i + 1)) % 4096] = (seed * 31 + i) % 256
    expect([...nodeDomains(broken)]).toEqual([])
  }
})

describe('the backend of a browser', () => {
  const cpu = { name: 'x_0', kind: 'KIND_CPU', device: 0 } as const
  const gpu = { name: 'x_0_gpu0', kind: 'KIND_GPU', device: 0 } as const
  /** A runtime whose WebGPU build cannot open models, and what was asked of it. */
  function halfBroken() {
    const opened: string[] = []
    const runtime = async (provider: 'webgpu' | 'wasm'): Promise<WebRuntime> => {
      opened.push(provider)
      if (provider === 'webgpu') throw new Error('no such operator')
      return ort
    }
    return { opened, runtime }
  }
  const quiet: Log = { error() {}, warning() {}, info() {}, verbose() {} }
  const closing: (() => Promise<void>)[] = []
  afterAll(async () => {
    for (const close of closing) await close()
  })

  test('has a GPU where there is a WebGPU adapter, unless all models are to run on wasm', () => {
    const options = { clock: realClock, runtime: wasm }
    expect(onnxWebBackend({ ...options, webgpu: true }).gpus).toEqual([0])
    expect(onnxWebBackend({ ...options, webgpu: false }).gpus).toEqual([])
    expect(onnxWebBackend({ ...options, webgpu: true, provider: 'wasm' }).gpus).toEqual([])
  })

  test('a model of KIND_CPU never asks for WebGPU', async () => {
    const { opened, runtime } = halfBroken()
    const backend = onnxWebBackend({ clock: realClock, runtime, webgpu: true })
    const config = { instance_group: [{ kind: 'KIND_CPU' as const }] }
    const model = await backend.load(fixture('identity_fp32', config))
    closing.push(() => model.close())
    await model.instance(cpu, { max_batch_size: 8 })
    expect(opened).toEqual(['wasm'])
  })

  test('what WebGPU cannot open runs on wasm, and the log says why', async () => {
    const { opened, runtime } = halfBroken()
    const lines: string[] = []
    const log = { ...quiet, warning: (line: string) => void lines.push(line) }
    const backend = onnxWebBackend({ clock: realClock, runtime, webgpu: true })
    const model = await backend.load({ ...fixture('identity_fp32'), log })
    closing.push(() => model.close())
    const instance = await model.instance(gpu, { max_batch_size: 8 })
    expect(opened).toEqual(['webgpu', 'wasm'])
    expect(lines).toEqual([expect.stringMatching(/runs on wasm, not on WebGPU: no such operator/)])
    const input = { name: 'X', datatype: 'FP32', shape: [1, 2], data: floats([1, 2]) } as const
    const answer = await execute(instance, [requestOf([input])])
    expect(answer).toMatchObject({ outputs: [{ name: 'Y', data: floats([1, 2]) }] })
  })

  test('a model that WebGPU has no operators for does not fetch it', async () => {
    const { opened, runtime } = halfBroken()
    const backend = onnxWebBackend({ clock: realClock, runtime, webgpu: true })
    const store = diskStore({ root: fileURLToPath(new URL('../../../models', import.meta.url)) })
    const source = { ...fixture('tiny_mlp'), store, modelPath: 'iris', versionPath: 'iris/1' }
    const model = await backend.load({ ...source, config: {} })
    closing.push(() => model.close())
    expect(opened).toEqual(['wasm'])
    expect(model.io?.outputs.map(({ name }) => name)).toContain('label')
  })

  test('a model that insists on KIND_GPU does not load where WebGPU cannot open it', async () => {
    const { runtime } = halfBroken()
    const config = { instance_group: [{ kind: 'KIND_GPU' as const }] }
    const without = onnxWebBackend({ clock: realClock, runtime, webgpu: true })
    await expect(without.load(fixture('identity_fp32', config))).rejects.toThrow('no such operator')
    const none = onnxWebBackend({ clock: realClock, runtime, webgpu: false })
    const model = await none.load(fixture('identity_fp32', config))
    closing.push(() => model.close())
    await expect(model.instance(gpu, {})).rejects.toThrow(/KIND_GPU.*no WebGPU adapter/)
  })

  test('instances of one model share a session', async () => {
    let sessions = 0
    const counting: WebRuntime = {
      Tensor: ort.Tensor,
      InferenceSession: {
        create: (...given: Parameters<typeof ort.InferenceSession.create>) => {
          sessions += 1
          return ort.InferenceSession.create(...given)
        },
      },
    } as WebRuntime
    const runtime = async (): Promise<WebRuntime> => counting
    const backend = onnxWebBackend({ clock: realClock, runtime, webgpu: false })
    const model = await backend.load(fixture('identity_fp32'))
    closing.push(() => model.close())
    const instances = [1, 2, 3].map(() => model.instance(cpu, { max_batch_size: 8 }))
    const input = { name: 'X', datatype: 'FP32', shape: [1, 2], data: floats([3, 4]) } as const
    const answers = (await Promise.all(instances)).map((one) => execute(one, [requestOf([input])]))
    for (const answer of await Promise.all(answers)) {
      expect(answer).toMatchObject({ outputs: [{ data: floats([3, 4]) }] })
    }
    expect(sessions).toBe(1)
  })
})
