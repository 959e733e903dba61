import type { Instance } from '../../core/backend/types.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { InferRequest, type ResponseSink } from '../../core/infer.ts'
import { createRequestCheck } from '../../core/model/request-check.ts'
import type { Clock, Log } from '../../core/platform.ts'
import { createScheduler } from '../../core/schedulers/create.ts'
import { ModelStats } from '../../core/stats.ts'
import type { Tensor } from '../../core/tensor.ts'

// What a request costs between the front end and the instance: `npx tsx test/bench/schedulers.ts`.
const COUNT = 300_000
const IN_FLIGHT = 16

const config = (extra: ModelConfig): ModelConfig => ({
  name: 'mlp',
  max_batch_size: 64,
  input: [{ name: 'INPUT', data_type: 'TYPE_FP32', dims: [16] }],
  output: [{ name: 'OUTPUT', data_type: 'TYPE_FP32', dims: [4] }],
  ...extra,
})
const log: Log = { error: console.error, warning() {}, info() {}, verbose() {} }
const clock: Clock = {
  now: () => performance.now() * 1e6,
  epochMs: () => Date.now(),
  after(delayNs, run) {
    const timer = setTimeout(run, delayNs / 1e6)
    return () => clearTimeout(timer)
  },
  nextTurn: (run) => void setImmediate(run),
}
const data = new Uint8Array(64)
const pool = new Uint8Array(64 * 16)
/** Computes nothing: what is left is the scheduler. */
const instance: Instance = {
  execute(batch, _marks, done) {
    const output: Tensor = {
      name: 'OUTPUT',
      datatype: 'FP32',
      shape: [batch.size, 4],
      data: batch.size === 64 ? pool : pool.subarray(0, batch.size * 16),
    }
    done({ outputs: [output] })
  },
  async close() {},
}
const inputs: readonly Tensor[] = [{ name: 'INPUT', datatype: 'FP32', shape: [1, 16], data }]

async function time(label: string, run: () => number | Promise<number>): Promise<void> {
  await run()
  const rounds: number[] = []
  let note = 0
  for (let i = 0; i < 5; i++) {
    const start = performance.now()
    note = await run()
    rounds.push(((performance.now() - start) * 1e6) / COUNT)
  }
  rounds.sort((a, b) => a - b)
  const ns = (rounds[2] as number).toFixed(0)
  console.log(`${label.padEnd(52)}${ns.padStart(7)} ns/request${note > 0 ? `   ${note}` : ''}`)
}

/** `submit` from a sink is what a closed loop of clients in one process looks like to a scheduler. */
function closedLoop(extra: ModelConfig): () => Promise<number> {
  const stats = new ModelStats()
  const scheduler = createScheduler({
    config: config(extra),
    instances: [instance],
    stats,
    clock,
    log,
    modelName: 'mlp',
    version: 1,
  })
  return () =>
    new Promise((resolve) => {
      let left = COUNT
      let answered = 0
      const before = stats.executionCount
      const next = (): void => {
        if (left-- > 0) scheduler.submit(new InferRequest({ inputs }, sink))
      }
      const sink: ResponseSink = {
        answer() {
          if (++answered === COUNT) resolve(Math.round(COUNT / (stats.executionCount - before)))
          else next()
        },
      }
      for (let i = 0; i < IN_FLIGHT; i++) next()
    })
}

const check = createRequestCheck(config({}), 'mlp', 1)
const noAnswer: ResponseSink = { answer() {} }
const sample = new InferRequest({ inputs }, noAnswer)
await time('request record', () => {
  for (let i = 0; i < COUNT; i++) new InferRequest({ inputs }, noAnswer)
  return 0
})
await time('clock.now()', () => {
  for (let i = 0; i < COUNT; i++) clock.now()
  return 0
})
await time('check, inputs in order', () => {
  for (let i = 0; i < COUNT; i++) check.check(sample)
  return 0
})
await time('instance alone', () => {
  const marks = { inputEndNs: 0, outputStartNs: 0 }
  const batch = { requests: [sample], size: 1 }
  for (let i = 0; i < COUNT; i++) instance.execute(batch, marks, () => {})
  return 0
})
const direct = createScheduler({
  config: config({}),
  instances: [instance],
  stats: new ModelStats(),
  clock,
  log,
  modelName: 'mlp',
  version: 1,
})
await time('direct, idle instance (with request record)', () => {
  for (let i = 0; i < COUNT; i++) direct.submit(new InferRequest({ inputs }, noAnswer))
  return 0
})
await time('direct, 16 in flight; mean batch', closedLoop({}))
await time('dynamic batching, no window; mean batch', closedLoop({ dynamic_batching: {} }))
await time(
  'dynamic batching, deadlines; mean batch',
  closedLoop({
    dynamic_batching: {
      default_queue_policy: { default_timeout_microseconds: 1_000_000, max_queue_size: 1000 },
    },
  }),
)
