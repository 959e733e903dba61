import { request } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { ServerError } from '../../../../core/errors.ts'
import type { InferResponse } from '../../../../core/infer.ts'
import { EVENT_BUFFER_BYTES } from '../../../../core/protocol/rest/event-stream.ts'
import { openEvents, until } from '../../../helpers/event-client.ts'
import type { FakeInstance } from '../../../helpers/fake-backend.ts'
import { ECHO_CONFIG, type ServeOptions, type Serving, serve } from '../../../helpers/serve.ts'

const REPEAT = `
backend: "repeat"
model_transaction_policy { decoupled: true }
input [ { name: "IN" data_type: TYPE_INT32 dims: [ -1 ] },
  { name: "DELAY" data_type: TYPE_UINT32 dims: [ -1 ] },
  { name: "WAIT" data_type: TYPE_UINT32 dims: [ 1 ] } ]
output [ { name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] },
  { name: "IDX" data_type: TYPE_UINT32 dims: [ 1 ] } ]
`
const STREAM_CONFIG = `${ECHO_CONFIG} model_transaction_policy { decoupled: true }`
/** What the repeat model gives goes through a model with one response each. */
const CHAIN = `
platform: "ensemble"
input [ { name: "IN" data_type: TYPE_INT32 dims: [ -1 ] },
  { name: "DELAY" data_type: TYPE_UINT32 dims: [ -1 ] },
  { name: "WAIT" data_type: TYPE_UINT32 dims: [ 1 ] } ]
output [ { name: "VALUE" data_type: TYPE_INT32 dims: [ 1 ] } ]
ensemble_scheduling { step [
  { model_name: "repeat" model_version: -1
    input_map { key: "IN" value: "IN" } input_map { key: "DELAY" value: "DELAY" }
    input_map { key: "WAIT" value: "WAIT" } output_map { key: "OUT" value: "mid" } },
  { model_name: "pass" model_version: -1
    input_map { key: "INPUT0" value: "mid" } output_map { key: "OUTPUT0" value: "VALUE" } } ] }
`
/** The model `stream` as an ensemble of one step. */
const WRAPPED = `
platform: "ensemble"
max_batch_size: 8
input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
ensemble_scheduling { step [ { model_name: "stream" model_version: -1
  input_map { key: "INPUT0" value: "INPUT0" } output_map { key: "OUTPUT0" value: "OUTPUT0" } } ] }
`
const PASS = `
backend: "fake"
input [ { name: "INPUT0" data_type: TYPE_INT32 dims: [ 1 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 1 ] } ]
`
const MODELS = {
  echo: ECHO_CONFIG,
  stream: STREAM_CONFIG,
  repeat: REPEAT,
  pass: PASS,
  chain: CHAIN,
  wrapped: WRAPPED,
}
const HOUR_MS = 3_600_000

let serving: Serving
afterEach(() => serving.close())

const start = async (options: ServeOptions = {}): Promise<Serving> => {
  serving = await serve({ models: MODELS, ...options })
  return serving
}
const at = (model: string, what = 'generate_stream'): string =>
  `${serving.url}/v2/models/${model}/${what}`
const repeatBody = (values: number[], delays: number[]): string =>
  JSON.stringify({ IN: values, DELAY: delays, WAIT: 0 })
const repeated = (value: number, index: number): string =>
  `{"IDX":${index},"OUT":${value},"model_name":"repeat","model_version":"1"}`

/** With the parameters that an ensemble gives its responses. */
const chained = (value: number): string =>
  `{"VALUE":${value},"model_name":"chain","model_version":"1","sequence_end":false,"sequence_id":0,"sequence_start":false}`

/** An event stream whose responses the test sends itself. */
async function controlled(options: ServeOptions = {}, model = 'stream') {
  await start({ ...options, backend: { paused: true, hearsCancel: true } })
  const opening = openEvents(at(model), '{"INPUT0":[1]}')
  const all = () => serving.backend.instances
  await until(() => all().some((instance) => instance.running))
  const instance = all().find((one) => one.running) as FakeInstance
  const request = instance.current[0]!
  const answers = instance.batches[0]!.answers!
  const response = (bytes = 4): InferResponse => ({
    outputs: [
      { name: 'OUTPUT0', datatype: 'FP32', shape: [1, bytes / 4], data: new Uint8Array(bytes) },
    ],
  })
  return { opening, instance, request, answers, response }
}

describe('generate_stream on a connection', () => {
  test('head and first event are there while the model goes on; a client that leaves ends it', async () => {
    const { server } = await start()
    const client = await openEvents(at('repeat'), repeatBody([7, 8], [0, HOUR_MS]))
    expect(client.response.statusCode).toBe(200)
    expect(client.response.headers['content-type']).toBe('text/event-stream; charset=utf-8')
    expect(await client.next()).toBe(repeated(7, 0))
    expect(server.inflight).toBe(1)
    client.leave()
    await until(() => server.inflight === 0)
    expect(server.statistics('repeat')[0]?.stats.failures.CANCELED).toBe(1)
  })

  test.each(['generate', 'generate_stream'])(
    '%s ends with a client that leaves before the first response',
    async (what) => {
      const { server } = await start()
      const sent = request(at('repeat', what), { method: 'POST', agent: false })
      sent.on('error', () => {})
      sent.end(repeatBody([1], [HOUR_MS]))
      await until(() => server.inflight === 1)
      sent.destroy()
      await until(() => server.inflight === 0)
      expect(server.statistics('repeat')[0]?.stats.failures.CANCELED).toBe(1)
    },
  )

  test('clients that leave at any time leave nothing behind', async () => {
    const { server } = await start()
    const visit = async (reads: number): Promise<void> => {
      const client = await openEvents(at('repeat'), repeatBody([1, 2, 3, 4], [0, 1, 2, HOUR_MS]))
      for (let i = 0; i < reads; i++) await client.next()
      client.leave()
    }
    await Promise.all(Array.from({ length: 40 }, (_, i) => visit(i % 4)))
    await until(() => server.inflight === 0)
    const stats = server.statistics('repeat')[0]?.stats
    expect(stats?.failures.CANCELED).toBe(40)
  })

  test('a listener whose time is up ends what has no response yet', async () => {
    const { opening, request, answers, instance } = await controlled()
    opening.catch(() => {})
    serving.listener.close(0).catch(() => {})
    await until(() => request.cancelled)
    expect(instance.cancellations).toEqual([request])
    answers.send(0, new ServerError('CANCELLED', 'left'), true)
    instance.finish()
    expect(serving.server.inflight).toBe(0)
    await expect(opening).rejects.toThrow()
  })

  test('all responses come in order, and the connection serves on', async () => {
    await start()
    const values = Array.from({ length: 500 }, (_, i) => i)
    const body = repeatBody(values, new Array(500).fill(0))
    for (let round = 0; round < 2; round++) {
      const client = await openEvents(at('repeat'), body)
      expect(await client.rest()).toEqual(values.map((value) => repeated(value, value)))
    }
  })

  test.each(['stream', 'wrapped'])(
    'a slow reader makes the model wait, and memory is bounded: %s',
    async (model) => {
      const { opening, request, answers, instance, response } = await controlled({}, model)
      const mib = 1024 * 1024
      let sent = 0
      const send = (): void => {
        sent++
        answers.send(0, response(mib), false)
      }
      send()
      const client = await opening
      // Sockets take some; then events gather here.
      while (!request.congested && sent < 200) {
        send()
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(request.congested).toBe(true)
      expect(sent).toBeLessThan(200)
      const writable = new Promise<void>((resolve) => {
        request.onWritable = resolve
      })
      const rest = client.rest()
      await writable
      expect(request.congested).toBe(false)
      answers.send(0, null, true)
      instance.finish()
      expect(await rest).toHaveLength(sent)
      expect(mib).toBeGreaterThan(EVENT_BUFFER_BYTES)
    },
  )

  test('an ensemble answers each response of its decoupled step', async () => {
    await start()
    const client = await openEvents(at('chain'), repeatBody([4, 5], [0, 1]))
    expect(await client.rest()).toEqual([chained(4), chained(5)])
    const gone = await openEvents(at('chain'), repeatBody([4, 5], [0, HOUR_MS]))
    await gone.next()
    gone.leave()
    await until(() => serving.server.inflight === 0)
  })

  test('an error half-way is an event; the stream goes on', async () => {
    const { opening, answers, instance, response } = await controlled()
    answers.send(0, response(), false)
    answers.send(0, new ServerError('INTERNAL', 'half-way'), false)
    answers.send(0, response(), true)
    instance.finish()
    const client = await opening
    expect(client.response.statusCode).toBe(200)
    const event = '{"OUTPUT0":0.0,"model_name":"stream","model_version":"1"}'
    expect(await client.rest()).toEqual([event, '{"error":"half-way"}', event])
  })

  test('statistics tell the responses apart by their place', async () => {
    await start()
    await (await openEvents(at('repeat'), repeatBody([1, 2], [0, 0]))).rest()
    await (await openEvents(at('repeat'), repeatBody([1], [0]))).rest()
    const { model_stats } = (await (
      await fetch(`${serving.url}/v2/models/repeat/stats`)
    ).json()) as {
      model_stats: { inference_stats: Record<string, { count: number }>; response_stats: object }[]
    }
    expect(model_stats[0]?.inference_stats['success']?.count).toBe(2)
    const counts = Object.entries(model_stats[0]?.response_stats ?? {}).map(([index, stats]) => [
      index,
      ...Object.entries(stats as Record<string, { count: number }>).map(
        ([name, { count }]) => `${name} ${count}`,
      ),
    ])
    const line = (index: string, infer: number, output: number, empty: number) => [
      index,
      `compute_infer ${infer}`,
      `compute_output ${output}`,
      `success ${output}`,
      'fail 0',
      `empty_response ${empty}`,
      'cancel 0',
    ]
    expect(counts).toEqual([line('0', 2, 2, 0), line('1', 2, 1, 1), line('2', 1, 0, 1)])
  })
})

describe('a model that goes while it streams', () => {
  const explicit = { server: { modelControlMode: 'explicit', loadModels: ['*'] } } as const

  test('is unloaded when its streams have ended, and takes nothing new meanwhile', async () => {
    const { opening, answers, instance, response } = await controlled(explicit)
    answers.send(0, response(), false)
    const client = await opening
    await client.next()
    let unloaded = false
    const unloading = serving.server.unload('stream', false).then(() => {
      unloaded = true
    })
    await until(() => !serving.server.modelReady('stream', ''))
    instance.finish()
    const refused = await fetch(at('stream'), { method: 'POST', body: '{"INPUT0":[1]}' })
    expect(refused.status).not.toBe(200)
    expect(instance.closed).toBe(0)
    answers.send(0, response(), false)
    expect(await client.next()).toContain('OUTPUT0')
    answers.send(0, null, true)
    expect(await client.next()).toBeNull()
    await unloading
    expect(unloaded).toBe(true)
    await until(() => instance.closed === 1)
  })

  test('is stopped when the time of a shutdown is up', async () => {
    await start()
    const client = await openEvents(at('repeat'), repeatBody([1, 2], [0, HOUR_MS]))
    await client.next()
    await serving.server.close(10)
    expect(await client.rest()).toEqual(['{"error":"request cancelled while executing"}'])
  })
})

describe('infer as events', () => {
  const headers = { accept: 'text/event-stream' }
  const inputs = (values: number[], delays: number[]) => [
    { name: 'IN', datatype: 'INT32', shape: [values.length], data: values },
    { name: 'DELAY', datatype: 'UINT32', shape: [delays.length], data: delays },
    { name: 'WAIT', datatype: 'UINT32', shape: [1], data: [0] },
  ]
  const echo = { inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 1], data: [5] }] }
  const extensions = async (): Promise<string[]> =>
    ((await (await fetch(`${serving.url}/v2`)).json()) as { extensions: string[] }).extensions

  test('every response is the JSON of an infer reply', async () => {
    await start({ inferStream: true })
    expect(await extensions()).toContain('nereid_infer_stream')
    const body = JSON.stringify({
      id: 'i',
      inputs: inputs([7, 8], [0, 0]),
      outputs: [{ name: 'OUT' }],
    })
    const client = await openEvents(at('repeat', 'infer'), body, headers)
    const event = (value: number) =>
      `{"id":"i","model_name":"repeat","model_version":"1","outputs":[{"name":"OUT","datatype":"INT32","shape":[1],"data":[${value}]}]}`
    expect(await client.rest()).toEqual([event(7), event(8)])
  })

  test('a model with one response has one event', async () => {
    await start({ inferStream: true })
    const client = await openEvents(at('echo', 'infer'), JSON.stringify(echo), headers)
    expect(await client.rest()).toEqual([
      '{"model_name":"echo","model_version":"1","outputs":[{"name":"OUTPUT0","datatype":"FP32","shape":[1,1],"data":[5.0]}]}',
    ])
  })

  test('binary outputs are refused, other answers are as ever', async () => {
    await start({ inferStream: true })
    const outputs = [{ name: 'OUTPUT0', parameters: { binary_data: true } }]
    const init = { method: 'POST', headers, body: JSON.stringify({ ...echo, outputs }) }
    expect(await (await fetch(at('echo', 'infer'), init)).json()).toEqual({
      error: 'outputs of an event stream can not be binary',
    })
    const plain = await fetch(at('echo', 'infer'), { method: 'POST', body: JSON.stringify(echo) })
    expect(plain.headers.get('content-type')).toBe('application/json')
  })

  test('without the flag nothing of it is there', async () => {
    await start()
    expect(await extensions()).not.toContain('nereid_infer_stream')
    const client = await openEvents(at('echo', 'infer'), JSON.stringify(echo), headers)
    expect(client.response.headers['content-type']).toBe('application/json')
    client.leave()
    const body = JSON.stringify({ inputs: inputs([7], [0]) })
    const refused = await fetch(at('repeat', 'infer'), { method: 'POST', headers, body })
    expect([refused.status, await refused.json()]).toEqual([
      501,
      { error: "HTTP end point doesn't support models with decoupled transaction policy" },
    ])
  })
})
