import { Agent, request } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { ServerError } from '../../core/errors.ts'
import type { FinishedTrace } from '../../core/trace/types.ts'
import { send } from '../helpers/http.ts'
import { ECHO_CONFIG, type Serving, serve } from '../helpers/serve.ts'
import { timeline, traceObjects } from '../helpers/trace-events.ts'
import { type KeptTraces, keepTraces } from '../helpers/traces.ts'
import { until } from '../helpers/until.ts'

const step = (from: string, to: string): string =>
  `{ model_name: "echo" model_version: -1 input_map { key: "INPUT0" value: "${from}" } output_map { key: "OUTPUT0" value: "${to}" } }`
const CHAIN = `
platform: "ensemble"
max_batch_size: 8
input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
ensemble_scheduling { step [ ${step('INPUT0', 'between')}, ${step('between', 'OUTPUT0')} ] }
`
const TEXT_CONFIG = `
backend: "fake"
input [ { name: "text_input" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "text_input" data_type: TYPE_STRING dims: [ 1 ] } ]
`

let serving: Serving
let kept: KeptTraces
let seen = 0
const agent = new Agent({ keepAlive: true })

beforeAll(async () => {
  kept = keepTraces(nodeClock())
  serving = await serve({
    models: { echo: ECHO_CONFIG, chain: CHAIN, text: TEXT_CONFIG },
    inferStream: true,
    doors: { tracer: kept.tracer },
  })
})
beforeEach(() => {
  seen = kept.traces.length
})
afterAll(async () => {
  agent.destroy()
  await serving.close()
})

const body = (data: readonly number[], id = ''): string =>
  JSON.stringify({
    ...(id === '' ? {} : { id }),
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, data.length], data }],
  })

function post(path: string, text: string, headers: Record<string, string> = {}) {
  const url = `${serving.url}/v2/models/${path}`
  return send({ url, method: 'POST', body: text, headers, agent })
}

async function nextTrace(): Promise<FinishedTrace> {
  await until(() => kept.traces.length > seen)
  return kept.traces[seen] as FinishedTrace
}

const WAY = [
  'HTTP_RECV_START',
  'HTTP_RECV_END',
  'REQUEST_START',
  'QUEUE_START',
  'COMPUTE_START',
  'COMPUTE_INPUT_END',
  'COMPUTE_OUTPUT_START',
  'COMPUTE_END',
  'INFER_RESPONSE_COMPLETE',
  'REQUEST_END',
  'HTTP_SEND_START',
  'HTTP_SEND_END',
]

test('a request is followed from its head to the end of its reply', async () => {
  expect((await post('echo/infer', body([1, 0.1], 'abc'))).status).toBe(200)
  const trace = await nextTrace()
  expect([...timeline(trace)].sort()).toEqual([...WAY].sort())
  const own = traceObjects(trace).find((one) => one.model_name !== undefined)
  expect(own).toEqual({ id: trace.id, model_name: 'echo', model_version: 1, request_id: 'abc' })
  const tensors = traceObjects(trace).filter((one) => one.activity !== undefined)
  expect(tensors.map(({ activity, tensor }) => [activity, tensor])).toEqual([
    ['TENSOR_QUEUE_INPUT', { name: 'INPUT0', data: '1,0.1', shape: '1,2', dtype: 'FP32' }],
    ['TENSOR_BACKEND_OUTPUT', { name: 'OUTPUT0', data: '1,0.1', shape: '1,2', dtype: 'FP32' }],
  ])
})

test('times rise along the way', async () => {
  await post('echo/infer', body([1]))
  const [model] = (await nextTrace()).models
  const { startNs = 0, queuedNs = 0, computeStartNs = 0, computeEndNs = 0, endNs = 0 } = model ?? {}
  const times = [startNs, queuedNs, computeStartNs, computeEndNs, endNs]
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect(startNs).toBeGreaterThan(0)
})

test('so is a request whose reply is packed, which takes another way in', async () => {
  const reply = await post('echo/infer', body([1]), { 'accept-encoding': 'gzip' })
  expect(JSON.parse(gunzipSync(reply.body).toString())).toMatchObject({ model_name: 'echo' })
  expect([...timeline(await nextTrace())].sort()).toEqual([...WAY].sort())
})

test('so is one that is answered with events, up to the end of the stream', async () => {
  const reply = await post('echo/infer', body([1]), { accept: 'text/event-stream' })
  expect(reply.body.toString()).toContain('data:')
  expect([...timeline(await nextTrace())].sort()).toEqual([...WAY].sort())
})

test.each(['generate', 'generate_stream'])('so is one to %s', async (way) => {
  const reply = await post(`text/${way}`, '{"text_input":"hello"}')
  expect(reply.status).toBe(200)
  const trace = await nextTrace()
  expect([...timeline(trace)].sort()).toEqual([...WAY].sort())
  expect(trace.models[0]?.tensors[0]).toMatchObject({ name: 'text_input', data: '"hello"' })
})

test('steps of an ensemble are its children, each with a way of its own', async () => {
  await post('chain/infer', body([5]))
  const trace = await nextTrace()
  expect(trace.models.map(({ model, parentId }) => [model, parentId])).toEqual([
    ['chain', 0],
    ['echo', trace.id],
    ['echo', trace.id],
  ])
  expect(timeline(trace)).not.toContain('COMPUTE_START')
  expect(timeline(trace, trace.models[2]?.id)).toEqual(WAY.slice(2, 10))
})

test('a request that fails in its model is traced with its error', async () => {
  serving.backend.instances[0]?.failNext(new ServerError('INTERNAL', 'boom'))
  expect((await post('echo/infer', body([1]))).status).toBe(500)
  const trace = await nextTrace()
  expect(trace.models[0]?.error).toBe('boom')
  expect(timeline(trace)).toContain('COMPUTE_END')
})

test('a request that never comes to a model leaves no trace, and the next one does', async () => {
  expect((await post('echo/infer', '{')).status).toBe(400)
  expect((await post('nope/infer', body([1]))).status).toBe(404)
  expect((await post('echo/infer', '{', { 'accept-encoding': 'gzip' })).status).toBe(400)
  await post('echo/infer', body([1], 'good'))
  expect((await nextTrace()).models[0]?.requestId).toBe('good')
})

// With the header the request takes the app's way, without it the listener's own.
test.each([{}, { 'accept-encoding': 'identity' }])(
  'the trace of a client that left ends with its request (%j)',
  async (headers) => {
    const [instance] = serving.backend.instances
    if (instance === undefined) throw new Error('no instance')
    instance.paused = true
    const url = `${serving.url}/v2/models/echo/infer`
    const asked = request(url, { method: 'POST', headers }).on('error', () => undefined)
    asked.end(body([1], 'left'))
    await until(() => instance.running)
    asked.destroy()
    await until(() => instance.current.every((one) => one.cancelled))
    instance.paused = false
    instance.finish()
    expect((await nextTrace()).models[0]?.requestId).toBe('left')
  },
)
