import { Agent } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { rawSession } from '../helpers/raw-grpc.ts'
import { Client, NoAnswer } from './client.ts'
import { restDoor } from './door.ts'
import { atLeast, atMost, type Drill } from './drill.ts'
import { GrpcConnection } from './grpc.ts'
import { grpcDoor } from './grpc-door.ts'
import { inference, verifyValues } from './inference.ts'
import { BODY_BYTES, LIMIT_FLAGS, LIMIT_ROWS, MODEL, type Ways } from './limit-rows.ts'
import { IDENTITY, writeModel } from './models.ts'
import { processFigures } from './process-figures.ts'
import { held } from './server-figures.ts'
import { type DrillServer, PATIENT, serveAll } from './servers.ts'

const ROUNDS = { ci: 2, long: 100 }
const INFLIGHT = 8
/** So long that all of a round's requests are there before the first one is answered. */
const SLOW_MS = 400
/** Connections whose bodies never end. */
const ENDLESS = 64
const ENDLESS_MS = { ci: 3_000, long: 30_000 }
const SAMPLE_MS = 50
/** Between writes to a server that does not read. */
const FULL_MS = 5
const SETTLE_MS = 5_000
const MB = 2 ** 20
/** One and a half times what all bodies together may be, and what the collector has not taken yet. */
const MAX_GROWTH_MB = (1.5 * ENDLESS * BODY_BYTES) / MB + 128

export const limits: Drill = {
  name: 'limits',
  promise: 'limits hold on every door',
  async run({ profile, folder, progress, note }) {
    const root = join(folder, 'models')
    writeModel(root, { name: MODEL, config: 'dynamic_batching { }' })
    writeModel(root, {
      name: 'slow',
      backend: 'identity',
      config: `instance_group [{ count: ${INFLIGHT} kind: KIND_CPU }]
parameters { key: "execute_delay_ms" value { string_value: "${SLOW_MS}" } }`,
    })
    const server = await serveAll([
      PATIENT,
      `--model-repository=${root}`,
      `--max-inflight=${INFLIGHT}`,
      ...LIMIT_FLAGS,
    ])
    const ways: Ways = {
      port: Number(new URL(server.url).port),
      agent: new Agent({ keepAlive: false }),
      session: rawSession(server.grpcPort),
    }
    let within = 0
    let beyond = 0
    let wrong = 0
    for (let round = 0; round < ROUNDS[profile]; round++) {
      for (const row of LIMIT_ROWS) {
        progress(`${row.name}, round ${round + 1}`)
        for (const size of [row.limit - 1, row.limit, row.limit + 1, row.limit]) {
          const said = await row.send(ways, size)
          const right = size > row.limit ? row.refusal.test(said) : said === ''
          if (!right) {
            wrong++
            note(`${row.name} of ${size}: ${said.slice(0, 300) || 'answered'}`)
          } else if (size > row.limit) beyond++
          else within++
        }
      }
    }
    const inflight: number[] = []
    for (const asked of [INFLIGHT - 1, INFLIGHT, INFLIGHT + 1, INFLIGHT + 4]) {
      progress(`${asked} requests at a time`)
      inflight.push(await atATime(server, asked, note))
    }
    progress('bodies that never end')
    // Without a limit of requests in flight, so that all of them are read.
    const open = await serveAll([PATIENT, `--model-repository=${root}`, ...LIMIT_FLAGS])
    const growth = await endless(open, ENDLESS_MS[profile])
    const stillHeld = await held(server.metricsUrl, SETTLE_MS)
    ways.session.destroy()
    server.process.kill('SIGTERM')
    const { code } = await server.ended
    const rows = ROUNDS[profile] * LIMIT_ROWS.length
    return [
      atLeast('answered, up to the limit', within, rows * 3),
      atLeast('refused, beyond it', beyond, rows),
      atMost('other answers', wrong, 0),
      ...inflight.map((refused, i) => {
        const over = [0, 0, 1, 4][i] as number
        return atMost(
          `refused, of ${INFLIGHT + [-1, 0, 1, 4][i]!} at a time, besides ${over}`,
          Math.abs(refused - over),
          0,
        )
      }),
      atMost('memory of endless bodies', growth, MAX_GROWTH_MB, 'MB'),
      atMost('held after it', stillHeld, 0),
      atMost('exit code', code ?? 255, 0),
    ]
  },
}

/** How many of so many requests, half through each door, were turned away; NaN when another answer came. */
async function atATime(
  server: DrillServer,
  count: number,
  note: (text: string) => void,
): Promise<number> {
  const client = new Client(server.url, count)
  const connection = new GrpcConnection(server.grpcPort)
  const doors = [restDoor(client), grpcDoor(connection)] as const
  let refused = 0
  await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const asked = inference('slow', i, { rows: 1, binary: true })
      const answer = await doors[i % 2 === 0 ? 0 : 1].ask(asked).catch((error: unknown) => {
        if (error instanceof NoAnswer) return error.message
        throw error
      })
      const problem = verifyValues(asked, answer ?? 'cancelled', IDENTITY)
      if (/limit of 8 requests in flight, try again/.test(problem)) refused++
      else if (problem !== '') {
        refused = Number.NaN
        note(problem)
      }
    }),
  )
  client.close()
  connection.cut()
  return refused
}

/** Sends bodies without end over many connections; returns the memory that takes, in MB. */
async function endless(server: DrillServer, ms: number): Promise<number> {
  const pid = server.process.pid ?? 0
  const before = processFigures(pid).rssMb
  let most = before
  const end = performance.now() + ms
  const chunk = Buffer.from(`10000\r\n${' '.repeat(65_536)}\r\n`)
  const head = `POST /v2/models/${MODEL}/infer HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`
  const send = async (): Promise<void> => {
    while (performance.now() < end) {
      const socket = connect({ port: Number(new URL(server.url).port), host: '127.0.0.1' })
      socket.on('error', () => {})
      socket.resume()
      socket.write(head)
      let open = true
      socket.once('close', () => {
        open = false
      })
      while (open && performance.now() < end) {
        socket.write(chunk)
        await (socket.writableNeedDrain ? pause(FULL_MS) : new Promise((go) => setImmediate(go)))
      }
      socket.destroy()
    }
  }
  const sample = async (): Promise<void> => {
    while (performance.now() < end) {
      most = Math.max(most, processFigures(pid).rssMb)
      await pause(SAMPLE_MS)
    }
  }
  await Promise.all([sample(), ...Array.from({ length: ENDLESS }, send)])
  return most - before
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
