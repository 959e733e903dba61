import { join } from 'node:path'
import { Client, NoAnswer } from './client.ts'
import { type Door, restDoor } from './door.ts'
import { atLeast, atMost, type Drill, type Figure } from './drill.ts'
import { GrpcConnection } from './grpc.ts'
import { grpcDoor } from './grpc-door.ts'
import { inference, verifyValues } from './inference.ts'
import { IDENTITY, writeModel } from './models.ts'
import { harmful, LOOP_MS, NEIGHBOURS, type Neighbour, writeNeighbour } from './neighbour-models.ts'
import { held } from './server-figures.ts'
import { PATIENT, serveAll } from './servers.ts'

const WELL = 'well'
const QUIET_MS = { ci: 2_000, long: 10_000 }
const BAD_MS = { ci: 7_000, long: 600_000 }
const CLIENTS_PER_DOOR = 3
const EVERY_MS = 20
/** Threads that loop take cores, of which a machine of CI has two: these are for other clients, too. */
const MAX_MS = { ci: 250, long: 150 }
/** A neighbour that dies is started again after 100 ms, and its next requests wait for that. */
const RESTART_MS = 4_000
/** Memory takes its time to run out. */
const MAX_NEIGHBOUR_MS = LOOP_MS + 8_000
/** The longest wait between two starts is 10 s. */
const BACK_MS = 15_000
const SETTLE_MS = 2_000

interface Count {
  right: number
  refused: number
  wrong: number
  lost: number
  slowestMs: number
  /** A readiness probe said no. */
  down: number
}

export const neighbours: Drill = {
  name: 'neighbours',
  promise: 'one bad neighbour does not hurt the others',
  async run({ profile, folder, progress, note }) {
    const root = join(folder, 'models')
    writeModel(root, { name: WELL, config: 'dynamic_batching { }' })
    for (const one of NEIGHBOURS) writeNeighbour(root, one)
    const server = await serveAll([PATIENT, `--model-repository=${root}`])
    const client = new Client(server.url, CLIENTS_PER_DOOR + NEIGHBOURS.length)
    const prober = new Client(server.url, NEIGHBOURS.length)
    const connection = new GrpcConnection(server.grpcPort)
    const doors = [restDoor(client), grpcDoor(connection)] as const
    let serial = 0

    /** Asks `model` once; '' = the right answer. */
    async function ask(door: Door, model: string, number: number, count: Count): Promise<string> {
      const asked = inference(model, number, { rows: 1, binary: number % 4 < 2 })
      const start = performance.now()
      try {
        return verifyValues(asked, (await door.ask(asked)) ?? 'cancelled', IDENTITY)
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        count.lost++
        return `${model}: ${error.message}`
      } finally {
        count.slowestMs = Math.max(count.slowestMs, performance.now() - start)
      }
    }

    /** A good client; returns what it saw and how long each answer took. */
    async function good(door: Door, end: number, count: Count, times: number[]): Promise<void> {
      while (performance.now() < end) {
        const start = performance.now()
        const problem = await ask(door, WELL, serial++, count)
        times.push(performance.now() - start)
        if (problem === '') count.right++
        else {
          count.wrong++
          note(problem)
        }
        await pause(EVERY_MS)
      }
    }
    const all = async (ms: number, count: Count): Promise<number> => {
      const times: number[] = []
      const end = performance.now() + ms
      const clients = doors.flatMap((door) =>
        Array.from({ length: CLIENTS_PER_DOOR }, () => good(door, end, count, times)),
      )
      await Promise.all(clients)
      return p99(times)
    }

    const ready = async (model: string): Promise<boolean> => {
      const reply = await prober.ask({ path: `/v2/models/${model}/ready`, method: 'GET' })
      return reply?.status === 200
    }
    async function bad(one: Neighbour, end: number, count: Count): Promise<void> {
      for (let number = 0; performance.now() < end; number++) {
        const problem = await ask(doors[(number >> 1) % 2] as Door, one.name, number, count)
        if (problem === '' && !harmful(number)) count.right++
        else if (problem !== '' && (one.refusal.test(problem) || !harmful(number))) count.refused++
        else {
          count.wrong++
          note(`${one.name} ${number}: ${problem || 'an answer to what does harm'}`)
        }
        if (harmful(number) && one.dies && !(await ready(one.name))) count.down++
        progress(`${one.name}: ${count.right} right, ${count.refused} refused`)
        await pause(EVERY_MS)
      }
    }
    /** Milliseconds until it answers again. */
    async function back(one: Neighbour): Promise<number> {
      const start = performance.now()
      while (performance.now() < start + BACK_MS) {
        const problem = await ask(doors[0], one.name, 0, none())
        if (problem === '' && (await ready(one.name))) return performance.now() - start
        await pause(EVERY_MS)
      }
      return Number.POSITIVE_INFINITY
    }

    const quiet = none()
    const quietMs = await all(QUIET_MS[profile], quiet)
    const well = none()
    const counts = NEIGHBOURS.map(none)
    const end = performance.now() + BAD_MS[profile]
    const bads = NEIGHBOURS.map((one, i) => bad(one, end, counts[i] as Count))
    const badMs = await all(BAD_MS[profile], well)
    await Promise.all(bads)
    const backs = await Promise.all(NEIGHBOURS.map(back))
    const serverReady = (await prober.text('/v2/health/live')) === '' ? 1 : 0
    const stillHeld = await held(server.metricsUrl, SETTLE_MS)
    client.close()
    prober.close()
    connection.cut()
    server.process.kill('SIGTERM')
    const { code } = await server.ended
    return [
      atLeast('right answers beside them', well.right, (BAD_MS[profile] / 1000) * 20),
      atMost('wrong or no answers beside them', well.wrong + well.lost + quiet.wrong, 0),
      atMost('99 % of answers when it is quiet within', quietMs, MAX_MS[profile], 'ms'),
      atMost('99 % of answers beside them within', badMs, MAX_MS[profile], 'ms'),
      ...NEIGHBOURS.flatMap((one, i) => figures(one, counts[i] as Count, backs[i] as number)),
      atLeast('server is live', serverReady, 1),
      atMost('held after it', stillHeld, 0),
      atMost('exit code', code ?? 255, 0),
    ]
  },
}

function figures({ name, dies }: Neighbour, count: Count, backMs: number): readonly Figure[] {
  return [
    atLeast(`${name}: harm that was refused`, count.refused, 1),
    atLeast(`${name}: right answers in between`, count.right, 1),
    atMost(`${name}: wrong or no answers`, count.wrong + count.lost, 0),
    atMost(`${name}: slowest answer`, count.slowestMs, dies ? MAX_NEIGHBOUR_MS : RESTART_MS, 'ms'),
    ...(dies ? [atLeast(`${name}: seen not ready`, count.down, 1)] : []),
    atMost(`${name}: well again within`, backMs, BACK_MS, 'ms'),
  ]
}

const none = (): Count => ({ right: 0, refused: 0, wrong: 0, lost: 0, slowestMs: 0, down: 0 })

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function p99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN
}
