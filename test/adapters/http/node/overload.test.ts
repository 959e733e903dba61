import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { ServerError } from '../../../../core/errors.ts'
import { OverloadGate } from '../../../../core/overload/gate.ts'
import { openEvents } from '../../../helpers/event-client.ts'
import { send } from '../../../helpers/http.ts'
import { inferBytes, type RawConnection, rawConnection } from '../../../helpers/raw-http.ts'
import { ECHO_CONFIG, type ServeOptions, type Serving, serve } from '../../../helpers/serve.ts'
import { until } from '../../../helpers/until.ts'

const STREAM = `${ECHO_CONFIG} model_transaction_policy { decoupled: true }`
const BODY = JSON.stringify({
  inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 1], data: [1] }],
})
const MAX_BODY = 1_000
const LATER = { error: 'server has its limit of 1 requests in flight, try again' }

let serving: Serving
const connections: RawConnection[] = []
afterEach(async () => {
  for (const { socket } of connections.splice(0)) socket.destroy()
  await serving.close()
})

async function start(gate: OverloadGate, options: ServeOptions = {}): Promise<Serving> {
  serving = await serve({
    models: { echo: ECHO_CONFIG, stream: STREAM },
    limits: { bodyBytes: MAX_BODY },
    inferStream: true,
    ...options,
    doors: { ...options.doors, gates: gate },
  })
  return serving
}
async function connection(): Promise<RawConnection> {
  const made = await rawConnection(serving.port)
  connections.push(made)
  return made
}

/** Takes its own way through the server: the fields are those that the fast path leaves to the app. */
const WAYS = { fast: '', app: 'Accept-Encoding: gzip\r\n' } as const
const ways = Object.keys(WAYS) as (keyof typeof WAYS)[]

function head(way: keyof typeof WAYS, fields: string, model = 'echo'): string {
  return `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: x\r\n${WAYS[way]}${fields}\r\n\r\n`
}
const whole = (way: keyof typeof WAYS, body = BODY, model = 'echo'): string =>
  head(way, `Content-Length: ${body.length}`, model) + body
const chunked = (way: keyof typeof WAYS, chunks: readonly string[]): string =>
  head(way, 'Transfer-Encoding: chunked') +
  chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')

/** One end of a request; it has ended when this resolves. */
type End = (way: keyof typeof WAYS, gate: OverloadGate) => Promise<unknown>

const answered =
  (bytes: (way: keyof typeof WAYS) => string, status: number): End =>
  async (way) => {
    const client = await connection()
    client.send(bytes(way))
    expect((await client.answer()).status).toBe(status)
  }

const ENDS: Readonly<Record<string, End>> = {
  'an answer': answered((way) => whole(way), 200),
  'an answer to a chunked body': answered((way) => `${chunked(way, [BODY])}0\r\n\r\n`, 200),
  'an unknown model': answered((way) => whole(way, BODY, 'nope'), 404),
  'a body that is no request': answered((way) => whole(way, '{"inputs":7}'), 400),
  'an empty body': answered((way) => head(way, 'Content-Length: 0'), 200),
  'a declared length above the limit': answered(
    (way) => head(way, `Content-Length: ${MAX_BODY + 1}`),
    400,
  ),
  'a chunked body above the limit': answered(
    (way) => chunked(way, [BODY, ' '.repeat(MAX_BODY)]),
    400,
  ),
  'an error of the model': async (way) => {
    serving.backend.instances[0]?.failNext(new ServerError('INTERNAL', 'broken'))
    await answered(() => whole(way), 500)(way, new OverloadGate())
  },
  'a client that leaves before its body': async (way, gate) => {
    const client = await connection()
    client.send(head(way, 'Content-Length: 900'))
    await until(() => gate.inflight === 1)
    expect(gate.bytes).toBe(900)
    client.socket.destroy()
  },
  'a client that leaves in the middle of its body': async (way, gate) => {
    const client = await connection()
    client.send(chunked(way, [BODY]))
    await until(() => gate.bytes === BODY.length)
    client.socket.destroy()
  },
  'a client that leaves while its request runs or waits': async (way, gate) => {
    const [instance] = serving.backend.instances
    if (instance !== undefined) instance.paused = true
    const both = [await connection(), await connection()]
    for (const client of both) client.send(whole(way))
    await until(() => serving.server.inflight === 2)
    expect(gate.inflight).toBe(2)
    for (const { socket } of both) socket.destroy()
    await until(() => serving.server.inflight <= 1)
    if (instance?.running) instance.finish()
  },
}

describe.each(ways)('a place taken on the %s path', (way) => {
  test.each(Object.keys(ENDS))('is free again after %s', async (name) => {
    const gate = new OverloadGate()
    await start(gate)
    await ENDS[name]?.(way, gate)
    await until(() => gate.inflight === 0)
    expect(gate.bytes).toBe(0)
  })

  test('is free again for each of several requests in one piece', async () => {
    const gate = new OverloadGate()
    await start(gate)
    const client = await connection()
    client.send(whole(way).repeat(5))
    for (let i = 0; i < 5; i++) expect((await client.answer()).status).toBe(200)
    await until(() => gate.inflight === 0)
    expect(gate.bytes).toBe(0)
  })

  test('is refused when there is none, without reading the body, and the connection lives on', async () => {
    const gate = new OverloadGate({ maxInflight: 1 })
    const { server } = await start(gate)
    expect(gate.enter(0)).toBeNull()
    const client = await connection()
    client.send(head(way, `Content-Length: ${BODY.length}`))
    const refusal = await client.answer()
    expect(refusal.status).toBe(503)
    expect(refusal.headers['retry-after']).toBe('1')
    expect(JSON.parse(refusal.body.toString())).toEqual(LATER)
    expect(server.statistics('echo')[0]?.stats.failures).toMatchObject({ REJECTED: 0 })
    gate.leave(0)
    if (way === 'fast') {
      client.send(BODY)
      client.send(whole(way))
      expect((await client.answer()).status).toBe(200)
    }
    await until(() => gate.inflight === 0)
    expect(gate.shed.inflight).toBe(1)
  })

  test.each([
    ['at the budget', BODY.length, 200],
    ['one byte above it', BODY.length - 1, 503],
  ])('declared, chunked or packed: a body %s', async (_, memoryBudget, status) => {
    const gate = new OverloadGate({ memoryBudget })
    await start(gate)
    const declared = await connection()
    declared.send(whole(way))
    expect((await declared.answer()).status).toBe(status)
    const parts = await connection()
    parts.send(`${chunked(way, [BODY.slice(0, 9), BODY.slice(9)])}0\r\n\r\n`)
    const answer = await parts.answer()
    expect(answer.status).toBe(status)
    if (status === 503) expect(answer.body.toString()).toContain('try again')
    await until(() => gate.inflight === 0)
    expect(gate.bytes).toBe(0)
  })
})

test('what a packed body grows to counts, and is given back', async () => {
  const body = BODY + ' '.repeat(MAX_BODY - BODY.length)
  const packed = gzipSync(body)
  const ask = (gate: OverloadGate) =>
    start(gate).then(({ url }) =>
      send({
        url: `${url}/v2/models/echo/infer`,
        method: 'POST',
        body: packed,
        headers: { 'content-encoding': 'gzip' },
      }),
    )
  const enough = new OverloadGate({ memoryBudget: packed.length + body.length })
  expect((await ask(enough)).status).toBe(200)
  expect(enough).toMatchObject({ inflight: 0, bytes: 0 })
  await serving.close()
  const short = new OverloadGate({ memoryBudget: packed.length + body.length - 1 })
  const refusal = await ask(short)
  expect([refusal.status, refusal.headers['retry-after']]).toEqual([503, '1'])
  expect(short).toMatchObject({ inflight: 0, bytes: 0, shed: { memory: 1 } })
})

test.each([true, false])(
  'events keep their place until they end; client stays: %s',
  async (stays) => {
    const gate = new OverloadGate()
    await start(gate, { backend: { paused: true, hearsCancel: true } })
    const opening = openEvents(`${serving.url}/v2/models/stream/generate_stream`, '{"INPUT0":[1]}')
    const busy = () => serving.backend.instances.find(({ running }) => running)
    await until(() => busy() !== undefined)
    const instance = busy()
    if (instance === undefined) throw new Error('nothing runs')
    const outputs = [
      { name: 'OUTPUT0', datatype: 'FP32' as const, shape: [1, 1], data: new Uint8Array(4) },
    ]
    instance.batches[0]?.answers?.send(0, { outputs }, false)
    const client = await opening
    await client.next()
    expect(gate.inflight).toBe(1)
    if (stays) {
      instance.batches[0]?.answers?.send(0, null, true)
      expect(await client.next()).toBeNull()
    } else {
      client.leave()
    }
    await until(() => gate.inflight === 0)
    expect(gate.bytes).toBe(0)
    if (instance.running) instance.finish()
  },
)

test('health and metadata are answered while all inference is refused', async () => {
  const gate = new OverloadGate()
  const { url } = await start(gate)
  gate.lagging = true
  const infer = { url: `${url}/v2/models/echo/infer`, method: 'POST', body: BODY }
  expect((await send(infer)).status).toBe(503)
  for (const path of ['/v2/health/live', '/v2/health/ready', '/v2/models/echo', '/v2']) {
    expect((await send({ url: url + path })).status, path).toBe(200)
  }
  gate.exhausted = true
  for (const path of ['/v2/health/live', '/v2/models/echo/ready']) {
    expect((await send({ url: url + path })).status, path).toBe(200)
  }
  const metadata = await send({ url: `${url}/v2/models/echo` })
  expect([metadata.status, metadata.headers['retry-after']]).toEqual([503, '1'])
})

test('a request that a full queue refuses is told when to come again', async () => {
  const config = `${ECHO_CONFIG} dynamic_batching { default_queue_policy { max_queue_size: 1 } }`
  const gate = new OverloadGate()
  await start(gate, { models: { echo: config }, backend: { paused: true } })
  const [instance] = serving.backend.instances
  for (let i = 1; i <= 2; i++) {
    const client = await connection()
    client.send(inferBytes('echo', [i]))
    await until(() => serving.server.inflight === i && instance?.running === true)
  }
  for (const way of ways) {
    const client = await connection()
    client.send(whole(way))
    const refusal = await client.answer()
    expect(refusal.body.toString()).toContain('Exceeds maximum queue size')
    expect([refusal.status, refusal.headers['retry-after']]).toEqual([503, '1'])
  }
  expect(gate.inflight).toBe(2)
})

test('a request that waited too long is told when to come again', async () => {
  const config = `${ECHO_CONFIG} dynamic_batching {
    default_queue_policy { default_timeout_microseconds: 1000 timeout_action: REJECT }
  }`
  await start(new OverloadGate(), { models: { echo: config }, backend: { paused: true } })
  const [instance] = serving.backend.instances
  const first = await connection()
  first.send(inferBytes('echo', [1]))
  await until(() => instance?.running === true)
  for (const way of ways) {
    const client = await connection()
    client.send(whole(way))
    const refusal = await client.answer()
    expect(refusal.body.toString()).toContain('Request timeout expired')
    expect([refusal.status, refusal.headers['retry-after']]).toEqual([503, '1'])
  }
  instance?.finish()
})

test('a request that comes when the server stops is told to come again', async () => {
  await start(new OverloadGate())
  await serving.server.close(0)
  for (const way of ways) {
    const client = await connection()
    client.send(whole(way))
    const refusal = await client.answer()
    expect([refusal.status, refusal.headers['retry-after']]).toEqual([503, '1'])
  }
})

test('connections are closed after their answers while memory is short', async () => {
  const { listener } = await start(new OverloadGate())
  const client = await connection()
  client.send(whole('fast'))
  expect((await client.answer()).headers['connection']).not.toBe('close')
  listener.closeConnections(true)
  client.send(whole('fast'))
  expect((await client.answer()).headers['connection']).toBe('close')
  await client.closed
  listener.closeConnections(false)
  const later = await connection()
  later.send(whole('fast'))
  expect((await later.answer()).headers['connection']).not.toBe('close')
})
