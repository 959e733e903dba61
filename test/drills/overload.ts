import { join } from 'node:path'
import { Client, NoAnswer } from './client.ts'
import { type Door, restDoor } from './door.ts'
import { atLeast, atMost, type Drill, type DrillContext, type Figure } from './drill.ts'
import { GrpcConnection } from './grpc.ts'
import { grpcDoor } from './grpc-door.ts'
import { inference, verifyValues } from './inference.ts'
import { IDENTITY, writeModel } from './models.ts'
import { processFigures } from './process-figures.ts'
import { held } from './server-figures.ts'
import { type DrillServer, serveAll } from './servers.ts'

const FLOOD_MS = { ci: 5_000, long: 60_000 }
const BATCH = 8
const EXECUTION_MS = 200
/** Requests a second. */
const CAPACITY = (BATCH * 1000) / EXECUTION_MS
const TIMES_CAPACITY = 10
const WAITING = 16
const TURN_MS = 10
/** Enough that no request waits in the client for a connection. */
const CONNECTIONS = 256
/** A refusal that had waited in the queue would take at least {@link EXECUTION_MS}. Other work shares a machine of CI. */
const MAX_REFUSAL_MS = { ci: 150, long: 50 }
/** The queue is two executions long, and one is running: what was accepted is answered after three, on a busy machine. */
const MAX_ACCEPTED_MS = 3 * EXECUTION_MS * 2
const MAX_PROBE_MS = { ci: 150, long: 100 }
const PROBE_EVERY_MS = 100
/** Beyond what is resident after the first second of the flood. */
const MAX_GROWTH_MB = 64
const WARM_UP_MS = 1_000
/** In five seconds the first execution, which answers nothing, is 4 %. */
const MIN_GOODPUT = { ci: 0.85, long: 0.9 }
const NORMAL_WITHIN_MS = 2_000
/** An answer that waited for no other request. */
const NORMAL_MS = EXECUTION_MS * 1.5
const AFTERWARDS = 40
const MODEL = 'busy'

/** Something that turns requests away, and what it says. */
interface Limit {
  readonly name: string
  readonly args: readonly string[]
  readonly config: string
  /** Its own words, or those for an event loop that is late: a refusal as well, on a machine that stands still. */
  readonly refusal: RegExp
}

const LIMITS: readonly Limit[] = [
  {
    name: 'server',
    args: [`--max-inflight=${WAITING + BATCH}`],
    config: 'dynamic_batching { }',
    refusal: /: (503|status 14) .*(requests in flight|server is overloaded), try again/,
  },
  {
    name: 'queue',
    args: [],
    config: `dynamic_batching { default_queue_policy { max_queue_size: ${WAITING} } }`,
    refusal: /: (503|status 14) .*(Exceeds maximum queue size|server is overloaded, try again)/,
  },
]

export const overload: Drill = {
  name: 'overload',
  promise: 'overload is answered, not suffered',
  async run(context) {
    const figures: Figure[] = []
    for (const limit of LIMITS) {
      const root = join(context.folder, limit.name)
      writeModel(root, {
        name: MODEL,
        backend: 'identity',
        config: `${limit.config}
instance_group [{ count: 1 kind: KIND_CPU }]
parameters { key: "execute_delay_ms" value { string_value: "${EXECUTION_MS}" } }`,
      })
      const server = await serveAll([`--model-repository=${root}`, ...limit.args])
      figures.push(...(await exercise(limit, server, context)))
    }
    return figures
  },
}

/** Floods `server` through REST and gRPC, then looks how it is afterwards. */
async function exercise(
  { name, refusal }: Limit,
  server: DrillServer,
  { profile, progress, note }: DrillContext,
): Promise<readonly Figure[]> {
  const client = new Client(server.url, CONNECTIONS)
  const prober = new Client(server.url, 1)
  const connection = new GrpcConnection(server.grpcPort)
  const doors = [restDoor(client), grpcDoor(connection)] as const
  const accepted: number[] = []
  const refused: number[] = []
  const probes: number[] = []
  const resident: number[] = []
  let other = 0
  let serial = 0

  /** Milliseconds until the right answer came; Infinity when another one did. */
  async function ask(door: Door): Promise<number> {
    const asked = inference(MODEL, serial++, { rows: 1, binary: serial % 4 < 2 })
    const start = performance.now()
    const answer = await door.ask(asked).catch((error: unknown) => {
      if (error instanceof NoAnswer) return error.message
      throw error
    })
    const took = performance.now() - start
    if (typeof answer === 'string' && refusal.test(answer)) {
      refused.push(took)
      return Number.POSITIVE_INFINITY
    }
    const problem = verifyValues(asked, answer ?? 'cancelled', IDENTITY)
    if (problem === '') {
      accepted.push(took)
      return took
    }
    other++
    note(problem)
    return Number.POSITIVE_INFINITY
  }

  const begin = performance.now()
  const end = begin + FLOOD_MS[profile]
  /** At a constant rate, whether or not there are answers. */
  async function flood(): Promise<void> {
    const pending = new Set<Promise<unknown>>()
    let sent = 0
    for (let now = begin; now < end; now = performance.now()) {
      const due = ((now - begin) / 1000) * CAPACITY * TIMES_CAPACITY
      for (; sent < due; sent++) {
        const question = ask(doors[sent % 2] as Door).finally(() => pending.delete(question))
        pending.add(question)
      }
      await pause(TURN_MS)
    }
    floodedMs = performance.now() - begin
    asked = sent
    await Promise.all(pending)
  }
  async function probe(): Promise<void> {
    while (performance.now() < end) {
      const start = performance.now()
      await prober.text('/v2/health/live')
      probes.push(performance.now() - start)
      if (start > begin + WARM_UP_MS) resident.push(processFigures(server.process.pid ?? 0).rssMb)
      progress(`${name}: ${accepted.length} answered, ${refused.length} refused`)
      await pause(PROBE_EVERY_MS)
    }
  }
  let floodedMs = 0
  let asked = 0
  const flooded = Promise.all([probe(), flood()])
  await pause(end - performance.now())
  const answered = accepted.length
  const turnedAway = refused.length

  // What was accepted is still being answered: this is what the next client meets.
  const flooding = performance.now()
  let normalMs = Number.POSITIVE_INFINITY
  while (performance.now() < flooding + 2 * NORMAL_WITHIN_MS) {
    if ((await ask(doors[0])) <= NORMAL_MS) {
      normalMs = performance.now() - flooding
      break
    }
    await pause(TURN_MS)
  }
  await flooded
  const [slowest, slowestRefusal, slowestProbe] = [accepted, refused, probes].map(p99)
  const growth = Math.max(...resident) - (resident[0] ?? Number.NaN)
  const goodput = answered / (FLOOD_MS[profile] / 1000) / CAPACITY

  // A queue's worth of clients is below the limit again.
  const before = accepted.length
  await Promise.all(
    Array.from({ length: AFTERWARDS / 4 }, async (_, i) => {
      for (let k = 0; k < 4; k++) await ask(doors[i % 2] as Door)
    }),
  )
  const afterwards = accepted.length - before
  const stillHeld = await held(server.metricsUrl, NORMAL_WITHIN_MS)
  client.close()
  prober.close()
  connection.cut()
  server.process.kill('SIGTERM')
  const { code } = await server.ended
  const named = (text: string): string => `${name}: ${text}`
  return [
    atLeast(
      named('asked, times what the model can do'),
      asked / floodedMs / (CAPACITY / 1000),
      9.5,
    ),
    atLeast(named('answered of what the model can do'), goodput, MIN_GOODPUT[profile]),
    atLeast(named('refused'), turnedAway, answered),
    atMost(named('other answers'), other, 0),
    atMost(
      named('99 % of refusals within'),
      slowestRefusal ?? Number.NaN,
      MAX_REFUSAL_MS[profile],
      'ms',
    ),
    atMost(named('99 % of answers within'), slowest ?? Number.NaN, MAX_ACCEPTED_MS, 'ms'),
    atMost(
      named('99 % of live probes within'),
      slowestProbe ?? Number.NaN,
      MAX_PROBE_MS[profile],
      'ms',
    ),
    atMost(named('memory beyond that of the first second'), growth, MAX_GROWTH_MB, 'MB'),
    atMost(named('normal again within'), normalMs, NORMAL_WITHIN_MS, 'ms'),
    atLeast(named('right answers of the first ones afterwards'), afterwards, AFTERWARDS),
    atMost(named('held after it'), stillHeld, 0),
    atMost(named('exit code'), code ?? 255, 0),
  ]
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function p99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN
}
