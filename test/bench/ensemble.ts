import { identityBackend } from '../../core/backend/identity.ts'
import { InferRequest, type ResponseSink } from '../../core/infer.ts'
import type { Clock, Log } from '../../core/platform.ts'
import { fileMapStore } from '../../core/repository/file-map.ts'
import { createServer } from '../../core/server.ts'
import type { Tensor } from '../../core/tensor.ts'

// What ensembles of no-op steps cost over one of those steps: `npx tsx test/bench/ensemble.ts`.
const STEPS = [1, 2, 4, 8, 16, 32]
const COUNT = 20_000
const ROUNDS = 7
/** Microseconds a step may cost. */
const MARK_US = 15

const log: Log = { error: console.error, warning: console.error, info() {}, verbose() {} }
const clock: Clock = {
  now: () => performance.now() * 1e6,
  epochMs: () => Date.now(),
  after(delayNs, run) {
    const timer = setTimeout(run, delayNs / 1e6)
    return () => clearTimeout(timer)
  },
  nextTurn: (run) => void setImmediate(run),
}

const io = (kind: string, name: string): string =>
  `${kind} [ { name: "${name}" data_type: TYPE_FP32 dims: [ 16 ] } ]`
const step = (from: string, to: string): string =>
  `{ model_name: "noop" model_version: -1 input_map { key: "INPUT" value: "${from}" } output_map { key: "OUTPUT" value: "${to}" } }`

/** A chain of `count` steps. */
function chain(count: number): string {
  const steps = Array.from({ length: count }, (_, i) =>
    step(i === 0 ? 'IN' : `t${i}`, i === count - 1 ? 'OUT' : `t${i + 1}`),
  )
  return `platform: "ensemble" max_batch_size: 8 ${io('input', 'IN')} ${io('output', 'OUT')}
    ensemble_scheduling { step [ ${steps.join(', ')} ] }`
}

const files = new Map<string, Uint8Array>()
function put(name: string, config: string): void {
  files.set(`${name}/config.pbtxt`, new TextEncoder().encode(config))
  files.set(`${name}/1/.keep`, new Uint8Array(0))
}
put(
  'noop',
  `backend: "identity" max_batch_size: 8 ${io('input', 'INPUT')} ${io('output', 'OUTPUT')}`,
)
for (const count of STEPS) put(`chain${count}`, chain(count))

const server = await createServer({
  platform: { clock, log },
  stores: [fileMapStore({ root: 'memory', files })],
  backends: [identityBackend({ clock })],
})

const data = new Uint8Array(64)
let answered = 0
const sink: ResponseSink = {
  answer(_request, answer) {
    if (answer instanceof Error) throw answer
    answered++
  },
}

/** Microseconds per request, the median of several rounds. */
function measure(name: string, input: string): number {
  const inputs: readonly Tensor[] = [{ name: input, datatype: 'FP32', shape: [1, 16], data }]
  const rounds: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now()
    for (let i = 0; i < COUNT; i++) {
      const model = server.model(name, '')
      const request = new InferRequest({ inputs }, sink)
      model.check(request)
      model.submit(request)
    }
    // The first round warms up.
    if (round > 0) rounds.push(((performance.now() - start) * 1000) / COUNT)
  }
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1] as number
}

const single = measure('noop', 'INPUT')
console.log(`steps   µs/request   over one step   per step (mark ${MARK_US})`)
console.log(`alone   ${single.toFixed(2).padStart(10)}`)
let slow = 0
for (const count of STEPS) {
  const us = measure(`chain${count}`, 'IN')
  const over = us - single
  if (over / count >= MARK_US) slow++
  console.log(
    `${String(count).padStart(5)}   ${us.toFixed(2).padStart(10)}   ${over.toFixed(2).padStart(13)}   ${(over / count).toFixed(2).padStart(8)}`,
  )
}
const expected = COUNT * (ROUNDS + 1) * (STEPS.length + 1)
if (answered !== expected) throw new Error(`${answered} of ${expected} requests were answered`)
await server.close()
if (slow > 0) process.exitCode = 1
