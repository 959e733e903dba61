import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Client, NoAnswer } from './client.ts'
import { type Door, restDoor } from './door.ts'
import { atLeast, atMost, type Drill, type DrillContext } from './drill.ts'
import { GrpcConnection } from './grpc.ts'
import { grpcDoor } from './grpc-door.ts'
import { inference, verifyValues } from './inference.ts'
import { IDENTITY, writeModel } from './models.ts'
import { randomFrom } from './random.ts'
import { writeRepeat } from './repeat.ts'
import { decoupledClient, eventsClient, type RepeatClient } from './repeat-clients.ts'
import { type DrillServer, PATIENT, serveAll } from './servers.ts'
import { StreamDoor } from './stream-door.ts'

const ROUNDS = { ci: 8, long: 50 }
const MODELS = ['fast', 'slow']
/** Of each kind, each with `fast` and with `slow`. */
const CLIENTS_PER_DOOR = 4
const STREAMERS = 3
const ASKERS = CLIENTS_PER_DOOR * MODELS.length * 3 + STREAMERS * 2
const REPETITION = { count: 8, delayMs: 30 }
const SLOW_MS = 200
/**
 * A request that is this old was taken by the server: it reads within a few milliseconds. Younger ones can cross the
 * end of a connection that was idle for the server, which HTTP lets every client try again (RFC 9112, 9.3.1).
 */
const TAKEN_MS = SLOW_MS / 2
/** Clients go on for this long after the first connection that was refused. */
const GO_ON_MS = 1_000
const MIN_LOAD_MS = 300
/** Until all clients have had an answer. */
const MAX_START_MS = 20_000
const RETRY_MS = 50
/** What a server may say instead of an answer, at once, once it was told to stop: the request was not begun. */
const ELSEWHERE = /shutting down|exiting|REFUSED_STREAM/

interface Count {
  right: number
  repeated: number
  wrong: number
  lost: number
  turnedAway: number
  elsewhere: number
  goaways: number
}

export const drain: Drill = {
  name: 'drain',
  promise: 'shutdown loses nothing',
  async run(context) {
    const { profile, seed, folder, progress } = context
    const root = join(folder, 'models')
    const temporary = join(folder, 'tmp')
    mkdirSync(temporary)
    writeModel(root, { name: 'fast', config: 'dynamic_batching { }' })
    writeModel(root, {
      name: 'slow',
      backend: 'identity',
      config: `instance_group [{ count: ${CLIENTS_PER_DOOR * 3} kind: KIND_CPU }]
parameters { key: "execute_delay_ms" value { string_value: "${SLOW_MS}" } }`,
    })
    writeRepeat(root)
    const random = randomFrom(seed)
    const count: Count = {
      right: 0,
      repeated: 0,
      wrong: 0,
      lost: 0,
      turnedAway: 0,
      elsewhere: 0,
      goaways: 0,
    }
    const rounds = ROUNDS[profile]
    let badExits = 0
    for (let round = 1; round <= rounds; round++) {
      progress(`stop ${round} of ${rounds}`)
      const server = await serveAll([PATIENT, `--model-repository=${root}`], { TMPDIR: temporary })
      const code = await underLoad(server, count, context, MIN_LOAD_MS + random() * SLOW_MS)
      if (code !== 0) badExits++
    }
    return [
      atLeast('stops', rounds, rounds),
      atLeast('right answers', count.right, rounds * CLIENTS_PER_DOOR * 6),
      atLeast('whole event streams and decoupled answers', count.repeated, rounds * STREAMERS),
      atMost('wrong answers', count.wrong, 0),
      atMost('accepted and lost', count.lost, 0),
      atMost('sent while the connection closed', count.turnedAway, rounds * 4),
      atMost('told to go elsewhere', count.elsewhere, (rounds * ASKERS * GO_ON_MS) / RETRY_MS),
      atLeast('GOAWAYs seen', count.goaways, rounds * CLIENTS_PER_DOOR),
      atMost('exits with another code than 0', badExits, 0),
      atMost('temporary files left', readdirSync(temporary).length, 0),
    ]
  },
}

/** Stops `server` after `ms` of load on all of its models and doors; returns its exit code. */
async function underLoad(
  server: DrillServer,
  count: Count,
  { note }: DrillContext,
  ms: number,
): Promise<number | null> {
  const client = new Client(server.url, CLIENTS_PER_DOOR * MODELS.length)
  const connections: GrpcConnection[] = []
  const connection = (): GrpcConnection => {
    const one = new GrpcConnection(server.grpcPort)
    connections.push(one)
    return one
  }
  let serial = 0
  let end = Number.POSITIVE_INFINITY
  const firsts: Promise<void>[] = []

  /** Asks again and again; `ask` returns what is wrong with an answer. */
  async function loop(name: string, ask: () => Promise<string>, right: () => void): Promise<void> {
    let answered = (): void => {}
    firsts.push(new Promise((resolve) => (answered = resolve)))
    while (performance.now() < end) {
      try {
        const problem = await ask()
        if (problem === '') {
          right()
          answered()
        } else if (ELSEWHERE.test(problem)) {
          count.elsewhere++
          end = Math.min(end, performance.now() + GO_ON_MS)
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
        } else {
          count.wrong++
          note(`${name} ${problem}`)
        }
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        if (error.refused) {
          end = Math.min(end, performance.now() + GO_ON_MS)
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
        } else if (!error.begun && ELSEWHERE.test(error.message)) {
          count.elsewhere++
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
        } else if (error.begun || error.ageMs >= TAKEN_MS) {
          count.lost++
          note(`lost: ${name}: ${error.message}`)
        } else {
          count.turnedAway++
          note(`turned away: ${name}: ${error.message}`)
        }
      }
    }
  }
  const infer = (door: Door, model: string): Promise<void> =>
    loop(
      `${door.name} ${model}`,
      async () => {
        const asked = inference(model, serial++, { rows: 1, binary: serial % 2 === 0 })
        const values = await door.ask(asked)
        return values === null ? 'cancelled' : verifyValues(asked, values, IDENTITY)
      },
      () => count.right++,
    )
  const repeat = (name: string, client: RepeatClient): Promise<void> =>
    loop(
      name,
      () => client({ ...REPETITION, id: `r${serial++}` }),
      () => count.repeated++,
    )

  const rest = restDoor(client)
  const loops: Promise<void>[] = []
  for (let i = 0; i < CLIENTS_PER_DOOR; i++) {
    const shared = grpcDoor(connection())
    for (const model of MODELS) {
      loops.push(infer(rest, model), infer(shared, model))
      loops.push(infer(new StreamDoor(connection(), 1), model))
    }
  }
  for (let i = 0; i < STREAMERS; i++) {
    loops.push(repeat('events', eventsClient(server.url)))
    loops.push(repeat('decoupled', decoupledClient(connection())))
  }
  // A server that has not got round to accepting a connection has promised nothing to it.
  const late = new Promise((resolve) => setTimeout(resolve, MAX_START_MS).unref())
  await Promise.race([Promise.all(firsts), late])
  await new Promise((resolve) => setTimeout(resolve, ms))
  server.process.kill('SIGTERM')
  const { code } = await server.ended
  await Promise.all(loops)
  client.close()
  for (const one of connections) {
    count.goaways += one.goaways
    one.cut()
  }
  return code
}
