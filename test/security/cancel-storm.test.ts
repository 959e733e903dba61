import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { INFER_PATH } from '../../adapters/grpc/routes.ts'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { repeatBackend } from '../../core/backend/repeat.ts'
import { seeded } from '../adapters/http2/hpack/seeded.ts'
import { echoRequest, floats, inferBytes, RawClient } from '../helpers/grpc-client.ts'
import { send } from '../helpers/http.ts'
import { ECHO_CONFIG, serve } from '../helpers/serve.ts'
import { serveGrpc } from '../helpers/serve-grpc.ts'
import { until } from '../helpers/until.ts'
import { CountingAccess, CountingGate, countingGates } from './counting-access.ts'

/** Requests of each door; `STORM_REQUESTS` in the environment asks for more. */
const REQUESTS = Number(process.env['STORM_REQUESTS'] ?? 1_000)
const AT_A_TIME = 32
/** A request stays this long at most, in turns of the event loop: it is met at every stage, also before its first byte. */
const TURNS = 40

const MODELS = {
  echo: `${ECHO_CONFIG} dynamic_batching { max_queue_delay_microseconds: 500 }`,
  repeat: `backend: "repeat"
    model_transaction_policy { decoupled: true }
    input [ { name: "IN" data_type: TYPE_INT32 dims: [ -1 ] },
            { name: "DELAY" data_type: TYPE_UINT32 dims: [ -1 ] },
            { name: "WAIT" data_type: TYPE_UINT32 dims: [ 1 ] } ]
    output [ { name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] },
             { name: "IDX" data_type: TYPE_UINT32 dims: [ 1 ] } ]`,
}
const BACKEND = { clock: nodeClock(), durationNs: 500_000 }

/** One request with the number `value`; `leaves` resolves when its client has had enough, null = it stays. */
type Ask = (value: number, leaves: Promise<void> | null) => Promise<void>

interface Door {
  readonly asks: readonly Ask[]
  inflight(): number
  /** Connections and calls that are open. */
  open(): number
  close(): Promise<void>
}

interface Counters {
  readonly gate: CountingGate
  readonly access: CountingAccess
  readonly faults: string[]
}

async function httpDoor({ gate, access, faults }: Counters): Promise<Door> {
  const serving = await serve({
    models: MODELS,
    backend: BACKEND,
    doors: { gates: countingGates(gate), access },
  })
  const tensor = (value: number) =>
    `{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,1],"data":[${value}]}]}`
  const events = `{"IN":[${new Array(20).fill(7)}],"DELAY":[${new Array(20).fill(1)}],"WAIT":0}`
  const post =
    (
      path: string,
      body: (value: number) => string,
      check: (answer: string, value: number) => boolean,
    ): Ask =>
    async (value, leaves) => {
      const text = body(value)
      if (leaves === null) {
        const answer = await send({ url: serving.url + path, method: 'POST', body: text })
        if (!check(answer.body.toString(), value)) faults.push(`${value}: ${answer.body}`)
        return
      }
      const request = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${text.length}\r\n\r\n${text}`
      const socket = connect(serving.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.resume()
      // Some do not even send all of it.
      socket.write(value % 3 === 0 ? request.slice(0, value % request.length) : request)
      await leaves
      if (value % 2 === 0) socket.destroy()
      else socket.resetAndDestroy()
    }
  return {
    asks: [
      post(
        '/v2/models/echo/infer',
        tensor,
        (answer, value) =>
          answer.includes(`"data":[${value}.0]`) || answer.includes(`"data":[${value}]`),
      ),
      post(
        '/v2/models/repeat/generate_stream',
        () => events,
        (answer) => answer.split('"OUT":7').length === 21,
      ),
    ],
    inflight: () => serving.server.inflight,
    open: () => 0,
    close: () => serving.close(),
  }
}

async function grpcDoor({ gate, access, faults }: Counters): Promise<Door> {
  const serving = await serveGrpc({
    models: MODELS,
    backend: BACKEND,
    backends: [repeatBackend({ clock: nodeClock() })],
    grpc: { gates: countingGates(gate), access },
  })
  const clients = Array.from({ length: 4 }, () => new RawClient(serving.target))
  const clientOf = (value: number): RawClient => clients[value % clients.length] as RawClient
  const call: Ask = async (value, leaves) => {
    if (leaves === null) {
      const { response, details } = await clientOf(value).infer(echoRequest([value]))
      if (floats(response)[0] !== value) faults.push(`${value}: ${details}`)
      return
    }
    const asked = clientOf(value).start(INFER_PATH, inferBytes(echoRequest([value])))
    await leaves
    asked.cancel()
    await asked.outcome
  }
  const numbers = (values: readonly number[]) => new Uint8Array(new Int32Array(values).buffer)
  const stream: Ask = async (value, leaves) => {
    const asked = clientOf(value).inferStream()
    asked.send(echoRequest([value]))
    asked.send({
      modelName: 'repeat',
      inputs: [
        { name: 'IN', datatype: 'INT32', shape: [20n] },
        { name: 'DELAY', datatype: 'UINT32', shape: [20n] },
        { name: 'WAIT', datatype: 'UINT32', shape: [1n] },
      ],
      rawInputContents: [
        numbers(new Array(20).fill(7)),
        numbers(new Array(20).fill(1)),
        numbers([0]),
      ],
    })
    if (leaves === null) {
      asked.end()
      const { code } = await asked.status
      const errors = asked.answers.filter(({ errorMessage }) => errorMessage !== '')
      if (code !== 0 || errors.length > 0 || asked.answers.length !== 21) {
        faults.push(`${value}: ${code}, ${asked.answers.length} answers`)
      }
      return
    }
    await leaves
    // grpc-js forgets to cancel a stream that was opened in the same turn.
    await turnsFrom(1)
    asked.call.cancel()
    await asked.status
  }
  return {
    asks: [call, stream],
    inflight: () => serving.server.inflight,
    open: () => serving.grpc.calls,
    async close() {
      for (const client of clients) client.close()
      await serving.close()
    },
  }
}

const DOORS = { HTTP: httpDoor, gRPC: grpcDoor }
let door: Door
afterEach(() => door.close())

describe.each(Object.keys(DOORS) as (keyof typeof DOORS)[])('%s', (name) => {
  it('answers those who stay and settles each request once, however many leave', async () => {
    const { random, seed } = seeded()
    const faults: string[] = []
    const gate = new CountingGate(() => false, faults)
    const access = new CountingAccess(() => false, faults)
    door = await DOORS[name]({ gate, access, faults })
    let value = 0
    const client = async (): Promise<void> => {
      while (value < REQUESTS) {
        const ask = door.asks[Math.floor(random() * door.asks.length)] as Ask
        const turns = Math.floor(random() * TURNS)
        await ask(++value, random() < 0.5 ? null : turnsFrom(turns))
      }
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, client))
    await until(() => door.inflight() === 0 && door.open() === 0)
    await until(() => gate.places === 0)
    expect({ faults, bytes: gate.bytes, inside: access.inside }, `seed ${seed}`).toEqual({
      faults: [],
      bytes: 0,
      inside: 0,
    })
    expect(gate.entered).toBeGreaterThan(REQUESTS / 4)
  })
})

async function turnsFrom(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}
