import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { onnxBackend } from '../../adapters/backends/onnx.ts'
import type { InlineMode } from '../../adapters/backends/onnx-pace.ts'
import { openVinoBackend } from '../../adapters/backends/openvino/openvino.ts'
import { diskStore } from '../../adapters/stores/disk.ts'
import type { Backend, Instance, ModelIo } from '../../core/backend/types.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { InferRequest } from '../../core/infer.ts'
import type { Clock } from '../../core/platform.ts'
import { byteSize, type Tensor } from '../../core/tensor.ts'
import { allocate } from '../../native/onnxruntime/memory.ts'
import { findOpenVinoLibrary } from '../../native/openvino/find.ts'
import { loadOpenVino } from '../../native/openvino/runtime.ts'

/**
 * The same ONNX files on ONNX Runtime and on OpenVINO, one thread each, and OpenVINO's bare C call.
 * usage: npx tsx test/bench/openvino.ts [folder with <name>.onnx [OpenVINO's folder]]
 */
const folder = process.argv[2] ?? '.cache/bench/onnx'
const library = findOpenVinoLibrary({
  path: process.argv[3],
  folders: ['.cache/python/openvino', '.cache/python/ml'],
})
const SECONDS = 0.5
const ROUNDS = 5
const MODELS = ['tiny_mlp', 'identity_big', 'resnet18', 'minilm']
const F32 = 4

const clock: Clock = {
  now: () => performance.now() * 1e6,
  epochMs: () => Date.now(),
  after: () => () => {},
  nextTurn: (run) => setImmediate(run),
}
const log = { error() {}, warning() {}, info() {}, verbose() {} }
const text = (string_value: string) => ({ string_value })

/** One of those that are compared, ready to run. */
interface Contender {
  readonly name: string
  run(seconds: number): Promise<number>
  close(): Promise<void>
}

interface Way {
  readonly name: string
  readonly backend: Backend
  readonly parameters: NonNullable<ModelConfig['parameters']>
}

function ways(inline: InlineMode): Way[] {
  const one = { INFERENCE_NUM_THREADS: text('1'), NUM_STREAMS: text('1') }
  const mode = inline === 'always' ? 'inline' : 'async'
  return [
    {
      name: `ONNX Runtime, ${mode}`,
      backend: onnxBackend({ clock, inline }),
      parameters: { intra_op_thread_count: text('1') },
    },
    {
      name: `OpenVINO, f32, ${mode}`,
      backend: openVinoBackend({ clock, library, inline }),
      parameters: { ...one, INFERENCE_PRECISION_HINT: text('f32') },
    },
    {
      name: `OpenVINO, precision of its choice, ${mode}`,
      backend: openVinoBackend({ clock, library, inline }),
      parameters: one,
    },
  ]
}

const sample = (io: ModelIo | undefined): Tensor[] =>
  (io?.inputs ?? []).map(({ name, datatype, shape }) => {
    const whole = shape.map((dim) => (dim < 0 ? 1 : dim))
    return { name, datatype, shape: whole, data: new Uint8Array(byteSize(datatype, whole)) }
  })

async function instanceOf(name: string, way: Way): Promise<Contender> {
  const config: ModelConfig = { max_batch_size: 8, parameters: way.parameters }
  const model = await way.backend.load({
    name,
    version: 1,
    config: { ...config, default_model_filename: `${name}.onnx` },
    settings: new Map(),
    store: diskStore({ root: folder }),
    modelPath: '',
    versionPath: '',
    log,
  })
  const instance = await model.instance({ name, kind: 'KIND_CPU', device: 0 }, config)
  const inputs = sample(model.io)
  return {
    name: way.name,
    run: (seconds) => drive(instance, inputs, seconds),
    close: async () => {
      await model.close()
      await way.backend.close?.()
    },
  }
}

/** How many ran, one after the other, without growing the stack when they run inline. */
function drive(instance: Instance, inputs: Tensor[], seconds: number): Promise<number> {
  return new Promise<number>((resolve, reject) => {
    const marks = { inputEndNs: 0, outputStartNs: 0 }
    const start = performance.now()
    let runs = 0
    const loop = (): void => {
      for (;;) {
        if (performance.now() >= start + seconds * 1000) {
          resolve(runs)
          return
        }
        const request = new InferRequest({ inputs }, { answer() {} })
        let returned = false
        let finished = false
        instance.execute({ requests: [request], size: 1 }, marks, (result) => {
          if (result instanceof Error) return reject(result)
          result.release?.()
          runs++
          finished = true
          if (returned) loop()
        })
        returned = true
        if (!finished) return
      }
    }
    loop()
  })
}

/** Nothing but the C call, over tensors that stay. */
async function bare(name: string): Promise<Contender> {
  const ov = loadOpenVino(library ?? '')
  const core = ov.openCore()
  const model = await core.read({ path: join(folder, `${name}.onnx`) })
  const properties = new Map([
    ['INFERENCE_NUM_THREADS', '1'],
    ['NUM_STREAMS', '1'],
    ['INFERENCE_PRECISION_HINT', 'f32'],
  ])
  const compiled = await core.compile(model, 'CPU', properties)
  const request = compiled.createRequest()
  const kept = model.inputs.map(({ shape, elementType }, i) => {
    const whole = (shape ?? []).map((dim) => (dim < 0 ? 1 : dim))
    const count = whole.reduce((all, dim) => all * dim, 1)
    const memory = allocate(count * (elementType === F32 ? 4 : 8))
    memory.bytes.fill(0)
    const tensor = ov.tensorOver(memory.address, whole, elementType)
    ov.api.check(ov.api.setInput(request.pointer, i, tensor))
    return memory
  })
  return {
    name: 'OpenVINO, f32, bare loop',
    run: async (seconds) => {
      const end = performance.now() + seconds * 1000
      let runs = 0
      for (; performance.now() < end; runs++) ov.api.check(ov.api.infer(request.pointer))
      return runs
    },
    close: async () => {
      // The C side knows only addresses: the inputs outlive the last run.
      kept.length = 0
      request.close()
      await compiled.close()
      model.close()
      core.close()
    },
  }
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number

/** Rounds are interleaved; processor time counts besides, which other users of the machine do not change. */
async function compare(model: string): Promise<void> {
  const contenders = [await bare(model)]
  for (const inline of ['always', 'never'] as const) {
    for (const way of ways(inline)) contenders.push(await instanceOf(model, way))
  }
  const rates = contenders.map((): number[] => [])
  const costs = contenders.map((): number[] => [])
  for (const contender of contenders) await contender.run(SECONDS / 4)
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, contender] of contenders.entries()) {
      const cpu = process.cpuUsage()
      const start = performance.now()
      const runs = await contender.run(SECONDS)
      const { user, system } = process.cpuUsage(cpu)
      rates[i]?.push((runs / (performance.now() - start)) * 1000)
      costs[i]?.push((user + system) / runs)
    }
  }
  for (const contender of contenders) await contender.close()
  const rows = contenders.map(({ name }, i) => ({
    model,
    way: name,
    'runs per second': Math.round(median(rates[i] ?? [])),
    'processor µs per run': Math.round(median(costs[i] ?? []) * 10) / 10,
  }))
  console.table(rows)
}

for (const model of MODELS) {
  if (existsSync(join(folder, `${model}.onnx`))) await compare(model)
  else console.error(`skipped ${model}: not in ${folder}`)
}
