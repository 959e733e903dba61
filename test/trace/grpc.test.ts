import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { INFER_PATH } from '../../adapters/grpc/routes.ts'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { ServerError } from '../../core/errors.ts'
import type { FinishedTrace } from '../../core/trace/types.ts'
import { echoRequest, inferBytes, RawClient } from '../helpers/grpc-client.ts'
import { type ServingGrpc, serveGrpc } from '../helpers/serve-grpc.ts'
import { timeline } from '../helpers/trace-events.ts'
import { type KeptTraces, keepTraces } from '../helpers/traces.ts'
import { until } from '../helpers/until.ts'

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

let kept: KeptTraces
let serving: ServingGrpc
let client: RawClient
let seen = 0

beforeAll(async () => {
  const clock = nodeClock()
  kept = keepTraces(clock, { rate: 0 }, { mode: 'opentelemetry', file: '' })
  serving = await serveGrpc({
    grpc: { tracer: kept.tracer },
  })
  client = new RawClient(serving.target)
})
beforeEach(() => {
  seen = kept.traces.length
})
afterAll(async () => {
  client.close()
  await serving.close()
})

async function nextTrace(): Promise<FinishedTrace> {
  await until(() => kept.traces.length > seen)
  return kept.traces[seen++] as FinishedTrace
}

const WAY = [
  'GRPC_WAITREAD_START',
  'GRPC_WAITREAD_END',
  'REQUEST_START',
  'QUEUE_START',
  'COMPUTE_START',
  'COMPUTE_INPUT_END',
  'COMPUTE_OUTPUT_START',
  'COMPUTE_END',
  'INFER_RESPONSE_COMPLETE',
  'REQUEST_END',
  'GRPC_SEND_START',
  'GRPC_SEND_END',
]
const traced = { metadata: { traceparent: PARENT, tracestate: 'a=b' } }

test('a call with a traceparent is traced, whatever the rate, and its trace is the parent', async () => {
  expect((await client.infer(echoRequest([1]))).code).toBe(0)
  expect((await client.infer(echoRequest([1], { id: 'g' }), traced)).code).toBe(0)
  const trace = await nextTrace()
  expect(trace.models[0]?.requestId).toBe('g')
  expect(trace.parent).toEqual({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    flags: 1,
    state: 'a=b',
  })
  expect([...timeline(trace)].sort()).toEqual([...WAY].sort())
})

test('each request of a stream has a trace of its own', async () => {
  const stream = client.inferStream(traced)
  for (const id of ['s1', 's2']) stream.send(echoRequest([1], { id }))
  await stream.received(2)
  stream.end()
  await stream.status
  for (const id of ['s1', 's2']) {
    const trace = await nextTrace()
    expect(trace.models.map(({ requestId }) => requestId)).toEqual([id])
    expect([...timeline(trace)].sort()).toEqual([...WAY].sort())
  }
})

test('a call that fails in its model is traced with its error', async () => {
  serving.backend.instances[0]?.failNext(new ServerError('INTERNAL', 'boom'))
  expect((await client.infer(echoRequest([1]), traced)).details).toBe('boom')
  expect((await nextTrace()).models[0]?.error).toBe('boom')
})

test.each(['call', 'stream'])(
  'the trace of a %s that was cancelled ends with its request',
  async (way) => {
    const [instance] = serving.backend.instances
    if (instance === undefined) throw new Error('no instance')
    instance.paused = true
    const asked = echoRequest([1], { id: way })
    let cancel: () => void
    if (way === 'call') {
      const call = client.start(INFER_PATH, inferBytes(asked), traced)
      cancel = call.cancel
    } else {
      const stream = client.inferStream(traced)
      stream.send(asked)
      cancel = () => stream.call.cancel()
    }
    await until(() => instance.running)
    cancel()
    await until(() => instance.current.every((one) => one.cancelled))
    instance.paused = false
    instance.finish()
    expect((await nextTrace()).models[0]?.requestId).toBe(way)
  },
)
