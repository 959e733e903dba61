import { join } from 'node:path'
import { serve } from '../targets/child.ts'
import { Client } from './client.ts'
import { atLeast, atMost, type Drill } from './drill.ts'
import { inference, question, verify } from './inference.ts'
import { IDENTITY, writeModel } from './models.ts'

const FLOOD_MS = { ci: 5_000, long: 120_000 }
const CONNECTIONS = 64
const BATCH = 8
const EXECUTION_MS = 200
const QUEUE = 16
/** A refused client comes back after this; together they ask for thirty times what the model can do. */
const RETRY_MS = 50
const REFUSAL = 'Exceeds maximum queue size'
/** A refusal that had waited in the queue would take at least {@link EXECUTION_MS}; on a quiet machine it takes 2 ms. */
const MAX_REFUSAL_MS = 150
/** The queue is two executions long, and one is running: what was accepted is answered after three, on a busy machine. */
const MAX_ACCEPTED_MS = 3 * EXECUTION_MS * 2
const MAX_PROBE_MS = 150
const PROBE_EVERY_MS = 100
const AFTERWARDS = 40
const MODEL = 'busy'

export const overload: Drill = {
  name: 'overload',
  promise: 'overload is answered, not suffered',
  async run({ profile, folder, progress, note }) {
    const root = join(folder, 'models')
    writeModel(root, {
      name: MODEL,
      backend: 'identity',
      config: `dynamic_batching { default_queue_policy { max_queue_size: ${QUEUE} } }
instance_group [{ count: 1 kind: KIND_CPU }]
parameters { key: "execute_delay_ms" value { string_value: "${EXECUTION_MS}" } }`,
    })
    const server = await serve([`--model-repository=${root}`])
    const client = new Client(server.url, CONNECTIONS)
    const prober = new Client(server.url, 1)
    const accepted: number[] = []
    const refused: number[] = []
    const probes: number[] = []
    let other = 0
    let serial = 0

    /** Whether a request was answered with its answer. */
    async function ask(): Promise<boolean> {
      const asked = inference(MODEL, serial++, { rows: 1, binary: serial % 2 === 0 })
      const start = performance.now()
      const reply = await client.ask(question(asked))
      const took = performance.now() - start
      if (reply?.status === 503 && reply.body.includes(REFUSAL)) {
        refused.push(took)
        return false
      }
      const problem = reply === null ? 'cancelled' : verify(asked, reply, IDENTITY)
      if (problem === '') accepted.push(took)
      else {
        other++
        note(problem)
      }
      return problem === ''
    }

    const begin = performance.now()
    const end = begin + FLOOD_MS[profile]
    async function flood(): Promise<void> {
      while (performance.now() < end) {
        if (!(await ask())) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
    async function probe(): Promise<void> {
      while (performance.now() < end) {
        const start = performance.now()
        await prober.text('/v2/health/live')
        probes.push(performance.now() - start)
        progress(`${accepted.length} answered, ${refused.length} refused`)
        await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS))
      }
    }
    await Promise.all([probe(), ...Array.from({ length: CONNECTIONS }, flood)])
    const seconds = (performance.now() - begin) / 1000
    const capacity = (BATCH * 1000) / EXECUTION_MS
    const goodput = accepted.length / seconds / capacity
    const [slowest, slowestRefusal, slowestProbe] = [accepted, refused, probes].map(p99)

    // A queue's worth of clients is below the limit again.
    const before = accepted.length
    await Promise.all(
      Array.from({ length: AFTERWARDS / 4 }, async () => {
        for (let i = 0; i < 4; i++) await ask()
      }),
    )
    const afterwards = accepted.length - before
    client.close()
    prober.close()
    server.process.kill('SIGTERM')
    const { code } = await server.ended
    return [
      atLeast('answered of what the model can do', goodput, 0.8),
      atLeast('refused with 503', refused.length, accepted.length),
      atMost('other answers', other, 0),
      atMost('99 % of refusals within', slowestRefusal ?? Number.NaN, MAX_REFUSAL_MS, 'ms'),
      atMost('99 % of answers within', slowest ?? Number.NaN, MAX_ACCEPTED_MS, 'ms'),
      atMost('99 % of live probes within', slowestProbe ?? Number.NaN, MAX_PROBE_MS, 'ms'),
      atLeast('right answers of the first ones afterwards', afterwards, AFTERWARDS),
      atMost('exit code', code ?? 255, 0),
    ]
  },
}

function p99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN
}
