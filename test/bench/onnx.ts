import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { onnxBackend } from '../../adapters/backends/onnx.ts'
import type { InlineMode } from '../../adapters/backends/onnx-pace.ts'
import { diskStore } from '../../adapters/stores/disk.ts'
import type { BackendModel, Batch, Instance } from '../../core/backend/types.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { InferRequest } from '../../core/infer.ts'
import type { Clock } from '../../core/platform.ts'
import { byteSize, type Tensor } from '../../core/tensor.ts'
import { PointerTable } from '../../native/onnxruntime/pointer-table.ts'
import { loadOnnxRuntime } from '../../native/onnxruntime/runtime.ts'

/**
 * What our side of an execution costs: the bare C call in a loop against the backend's instances.
 * usage: node --import tsx test/bench/onnx.ts [folder with <name>.onnx]
 */
const folder = process.argv[2] ?? 'test/fixtures/onnx'
const SECONDS = 2
const WARM_RUNS = 50
const MODELS = ['tiny_mlp', 'identity_big', 'resnet18', 'minilm']

const clock: Clock = {
  now: () => performance.now() * 1e6,
  epochMs: () => Date.now(),
  after: () => () => {},
  nextTurn: (run) => setImmediate(run),
}
const log = { error() {}, warning() {}, info() {}, verbose() {} }
const config: ModelConfig = {
  max_batch_size: 8,
  parameters: { intra_op_thread_count: { string_value: '1' } },
}

interface Row {
  readonly model: string
  readonly inputBytes: number
  readonly way: string
  readonly runsPerSecond: number
  readonly microseconds: number
}

async function bench(file: string, name: string): Promise<Row[]> {
  const bare = await bareLoop(file)
  const rows: [string, number][] = [['bare koffi loop', bare.rate]]
  const ways: [string, InlineMode, number][] = [
    ['execute, inline', 'always', 1],
    ['execute, async', 'never', 1],
    ['execute, auto', 'auto', 1],
    ['execute, async, 2 instances', 'never', 2],
  ]
  for (const [way, inline, count] of ways) rows.push([way, await instances(file, inline, count)])
  return rows.map(([way, rate]) => ({
    model: name,
    inputBytes: bare.inputBytes,
    way,
    runsPerSecond: Math.round(rate),
    microseconds: Math.round(1e7 / rate) / 10,
  }))
}

function sampleInputs(inputs: BackendModel['io']): Tensor[] {
  return (inputs?.inputs ?? []).map(({ name, datatype, shape }) => {
    const whole = shape.map((dim) => (dim < 0 ? 1 : dim))
    return { name, datatype, shape: whole, data: new Uint8Array(byteSize(datatype, whole)) }
  })
}

async function bareLoop(file: string): Promise<{ rate: number; inputBytes: number }> {
  const ort = loadOnnxRuntime()
  const env = ort.openEnv()
  const session = await ort.openSession({ env, model: file, settings: { intraOpThreads: 1 } })
  const text = (name: string) => {
    const memory = ort.allocate(name.length + 1)
    memory.bytes.set(new TextEncoder().encode(`${name}\0`))
    return memory
  }
  const names = new PointerTable(session.inputs.length)
  const values = new PointerTable(session.inputs.length)
  const outNames = new PointerTable(session.outputs.length)
  const outValues = new PointerTable(session.outputs.length)
  // Names and inputs must outlive the last run: without a use after the loop the collector takes them during it.
  const kept: unknown[] = []
  let inputBytes = 0
  for (const [i, { name, shape, elementType }] of session.inputs.entries()) {
    const whole = shape.map((dim) => (dim < 0 ? 1 : dim))
    const bytes = whole.reduce((all, dim) => all * dim, 1) * (elementType === 7 ? 8 : 4)
    const memory = ort.allocate(bytes)
    memory.bytes.fill(0)
    const held = text(name)
    kept.push(memory, held)
    inputBytes += bytes
    names.set(i, held.address)
    values.set(i, ort.tensor(memory.address, bytes, whole, elementType))
  }
  for (const [i, { name }] of session.outputs.entries()) {
    const held = text(name)
    kept.push(held)
    outNames.set(i, held.address)
  }
  const run = () => {
    const status = ort.api.run(
      session.pointer,
      0,
      names.address,
      values.address,
      names.length,
      outNames.address,
      outNames.length,
      outValues.address,
    )
    ort.api.check(status)
  }
  run() // outputs are ONNX Runtime's from the first run on, and written again by every other
  for (let i = 0; i < WARM_RUNS; i++) run()
  let count = 0
  const start = performance.now()
  let end = start
  while (end - start < SECONDS * 1000) {
    for (let i = 0; i < 16; i++) run()
    count += 16
    end = performance.now()
  }
  kept.length = 0
  await session.close()
  env.close()
  return { rate: (count / (end - start)) * 1000, inputBytes }
}

async function instances(file: string, inline: InlineMode, count: number): Promise<number> {
  const backend = onnxBackend({ clock, inline })
  const root = dirname(file)
  const model = await backend.load({
    name: 'bench',
    version: 1,
    config: { ...config, default_model_filename: relative(root, file) },
    settings: new Map(),
    store: diskStore({ root }),
    modelPath: '',
    versionPath: '',
    log,
  })
  const made: Instance[] = []
  for (let i = 0; i < count; i++) {
    made.push(await model.instance({ name: `bench_${i}`, kind: 'KIND_CPU', device: 0 }, config))
  }
  const inputs = sampleInputs(model.io)
  const state = { runs: 0, until: Number.POSITIVE_INFINITY }
  for (const instance of made) {
    await drive(instance, inputs, state, WARM_RUNS)
  }
  state.runs = 0
  const start = performance.now()
  state.until = start + SECONDS * 1000
  await Promise.all(
    made.map((instance) => drive(instance, inputs, state, Number.POSITIVE_INFINITY)),
  )
  const rate = (state.runs / (performance.now() - start)) * 1000
  await model.close()
  await backend.close?.()
  return rate
}

/** One execution after the other, a request of its own each, without growing the stack when they run inline. */
function drive(
  instance: Instance,
  inputs: Tensor[],
  state: { runs: number; until: number },
  most: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const marks = { inputEndNs: 0, outputStartNs: 0 }
    let left = most
    const loop = (): void => {
      for (;;) {
        if (left-- <= 0 || performance.now() >= state.until) {
          resolve()
          return
        }
        const request = new InferRequest({ inputs }, { answer() {} })
        const batch: Batch = { requests: [request], size: 1 }
        let returned = false
        let finished = false
        instance.execute(batch, marks, (result) => {
          if (result instanceof Error) return reject(result)
          result.release?.()
          state.runs++
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

const table: Row[] = []
for (const name of MODELS) {
  const file = join(folder, `${name}.onnx`)
  if (!existsSync(file)) console.error(`skipped ${name}: no ${file}`)
  else table.push(...(await bench(file, name)))
}
console.table(table)
