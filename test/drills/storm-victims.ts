import { connect } from 'node:net'
import { openEvents } from '../helpers/event-client.ts'
import type { Client } from './client.ts'
import { type Door, restDoor } from './door.ts'
import { GrpcConnection } from './grpc.ts'
import { grpcDoor } from './grpc-door.ts'
import { type Inference, inference, question, verifyValues } from './inference.ts'
import { repeatBody } from './repeat.ts'
import type { DrillServer } from './servers.ts'
import { grpcShmDoor, restShmDoor, ShmRegion } from './shm-door.ts'
import { STAGES } from './storm-models.ts'

/** Longer than any stage, so that a cancellation meets each of them. */
export const WITHIN_MS = 60
const REFUSED =
  /Exceeds maximum queue size|shutting down|Deadline Exceeded|Unable to find shared memory/

/** What the victims of one storm share. */
export interface StormContext {
  readonly server: DrillServer
  readonly client: Client
  /** Shared by most calls; some victims cut connections of their own. */
  readonly connections: readonly GrpcConnection[]
  readonly region: ShmRegion
  readonly random: () => number
  /** Of a request with a number of its own. */
  serial(): number
  /** Counts a request to `model` that leaves this process. */
  asked(model: string): void
  right(model: string): void
  /** Something that no cancellation excuses. */
  wrong(problem: string): void
}

/** One client that does not stay to the end. */
export type Victim = (storm: StormContext) => Promise<void>

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms))

export function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T
}

export function anInference(storm: StormContext): Inference {
  const { random } = storm
  const model = pick(random, Object.keys(STAGES))
  const rows = 1 + Math.floor(random() * 3)
  storm.asked(model)
  return inference(model, storm.serial(), { rows, binary: random() < 0.5 })
}

export function judge(storm: StormContext, asked: Inference, values: BigInt64Array | string): void {
  if (typeof values === 'string' && REFUSED.test(values)) return
  const affine = STAGES[asked.model]
  const problem =
    affine === undefined
      ? verifyValues(asked, values, { scale: 1n, offset: 0n })
      : verifyValues(asked, values, affine)
  if (problem === '') storm.right(asked.model)
  else storm.wrong(problem)
}

async function cancelled(storm: StormContext, door: Door): Promise<void> {
  const asked = anInference(storm)
  const ms = storm.random() * WITHIN_MS
  const values = await door.ask(asked, (destroy) => void setTimeout(destroy, ms))
  if (values !== null) judge(storm, asked, values)
}

/** A part of a request, or all of it, and then no connection. */
async function halfRequest(storm: StormContext): Promise<void> {
  const asked = anInference(storm)
  const { path, headers = {}, body = '' } = question(asked)
  const bytes = Buffer.from(body)
  const lines = Object.entries({ host: 'x', ...headers, 'content-length': bytes.length })
  const head = `POST ${path} HTTP/1.1\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`
  const whole = Buffer.concat([Buffer.from(head), bytes])
  const socket = connect({ port: Number(new URL(storm.server.url).port), host: '127.0.0.1' })
  socket.on('error', () => {})
  socket.resume()
  socket.write(whole.subarray(0, Math.ceil(storm.random() * whole.length)))
  await pause((storm.random() * WITHIN_MS) / 2)
  if (storm.random() < 0.5) socket.destroy()
  else socket.resetAndDestroy()
}

/** Server-sent events that nobody reads to their end. */
async function events(storm: StormContext): Promise<void> {
  const count = 1 + Math.floor(storm.random() * 20)
  const body = repeatBody({ id: '', count, delayMs: Math.floor(storm.random() * 4) })
  storm.asked('repeat')
  const url = `${storm.server.url}/v2/models/repeat/generate_stream`
  const client = await openEvents(url, body)
  const { statusCode } = client.response
  if (statusCode !== 200) storm.wrong(`events: ${statusCode}`)
  const stay = Math.floor(storm.random() * (count + 1))
  for (let at = 0; at < stay; at++) {
    const event = await client.next()
    const value = event === null ? null : (JSON.parse(event) as { OUT?: unknown }).OUT
    if (Number(value) !== 7 * at) storm.wrong(`event ${at}: ${event}`)
  }
  client.leave()
}

/** A region that is unregistered while a request uses it. */
async function unregistered(storm: StormContext): Promise<void> {
  const region = new ShmRegion(`storm-${storm.serial()}`)
  try {
    await region.register(storm.client)
    const answer = cancelled(storm, restShmDoor(storm.client, region))
    await pause((storm.random() * WITHIN_MS) / 2)
    await region.unregister(storm.client)
    await answer
  } finally {
    region.remove()
  }
}

/** A connection that is cut under several calls. */
async function cut(storm: StormContext): Promise<void> {
  const connection = new GrpcConnection(storm.server.grpcPort)
  const door = grpcDoor(connection)
  const calls = Array.from({ length: 1 + Math.floor(storm.random() * 5) }, async () => {
    const asked = anInference(storm)
    // What was not answered before the cut has no answer; that is what a cut is.
    const values = await door.ask(asked).catch(() => null)
    if (values !== null) judge(storm, asked, values)
  })
  await pause(storm.random() * WITHIN_MS)
  connection.cut()
  await Promise.all(calls)
}

const viaGrpc = (storm: StormContext): GrpcConnection => pick(storm.random, storm.connections)

export const VICTIMS: Readonly<Record<string, Victim>> = {
  'REST, destroyed': (storm) => cancelled(storm, restDoor(storm.client)),
  'REST, half a request': halfRequest,
  'events, dropped': events,
  'REST, shared memory': (storm) => cancelled(storm, restShmDoor(storm.client, storm.region)),
  'shared memory, unregistered': unregistered,
  'gRPC, reset': (storm) => cancelled(storm, grpcDoor(viaGrpc(storm))),
  'gRPC, shared memory': (storm) => cancelled(storm, grpcShmDoor(viaGrpc(storm), storm.region)),
  'gRPC, cut': cut,
}
