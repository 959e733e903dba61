import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeClock } from '../../../adapters/platform/clock.ts'
import { type OpenTrace, openTrace } from '../../../adapters/trace/open.ts'
import { ServerError } from '../../../core/errors.ts'
import { InferRequest } from '../../../core/infer.ts'
import { createLog } from '../../../core/log.ts'
import { TIMESTAMPS } from '../../../core/trace/level.ts'
import { attributesOf, type OtlpCollector, startCollector } from '../../helpers/otlp-collector.ts'
import { until } from '../../helpers/until.ts'

let collector: OtlpCollector
let tracing: OpenTrace
let logged: string[]

const clock = nodeClock()
const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'
const headers: Readonly<Record<string, string>> = { traceparent: PARENT, tracestate: 'v=1' }

async function open(url: string): Promise<OpenTrace> {
  const log = createLog({ write: (line) => logged.push(line), epochUs: () => 0, pid: 1 })
  return openTrace(
    {
      level: TIMESTAMPS,
      rate: 1,
      count: -1,
      logFrequency: 0,
      mode: 'opentelemetry',
      file: '',
      options: [],
      export: {
        url,
        resource: { team: 'a' },
        maxQueueSize: 100,
        scheduleDelayMs: 10,
        maxBatchSize: 50,
        timeoutMs: 500,
      },
    },
    { clock, log },
  )
}

beforeEach(async () => {
  logged = []
  collector = await startCollector()
  tracing = await open(collector.url)
})
afterEach(async () => {
  await tracing.close()
  await collector.close()
})

/** A request with one made for it. */
function run(header: (name: string) => string | undefined, error?: ServerError): void {
  const trace = tracing.tracer.sample('chain', header)
  if (trace === null) throw new Error('not sampled')
  trace.mark('HTTP_RECV_START', clock.now())
  const [parent, child] = ['r', ''].map(
    (id) => new InferRequest({ id, inputs: [] }, { answer: () => undefined }),
  ) as [InferRequest, InferRequest]
  parent.trace = trace.request
  parent.trace.begin(parent, { name: 'chain', version: 2 })
  child.trace = trace.request.child()
  child.trace.begin(child, { name: 'step', version: 1 })
  child.queuedNs = clock.now()
  child.trace.executed(clock.now(), 0, 0, clock.now())
  child.respond(error ?? { outputs: [] })
  parent.respond(error ?? { outputs: [] })
  trace.close()
}

const named = (name: string, nth = 0) => collector.spans.filter((span) => span.name === name)[nth]

test('a trace is spans below InferRequest, with the attributes and the events of Triton', async () => {
  const before = BigInt(Date.now()) * 1_000_000n
  run(() => undefined)
  const after = BigInt(Date.now()) * 1_000_000n
  await until(() => collector.spans.length === 4)
  const [root, chain, step, compute] = ['InferRequest', 'chain', 'step', 'compute'].map((name) =>
    named(name),
  )
  expect(root?.parentSpanId).toBeUndefined()
  expect(chain?.parentSpanId).toBe(root?.spanId)
  expect(step?.parentSpanId).toBe(chain?.spanId)
  expect(compute?.parentSpanId).toBe(step?.spanId)
  expect(new Set(collector.spans.map((span) => span.traceId)).size).toBe(1)
  expect(attributesOf(chain?.attributes ?? [])).toEqual({
    'triton.model_name': 'chain',
    'triton.model_version': 2,
    'triton.trace_id': 1,
    'triton.trace_parent_id': 0,
    'triton.request_id': 'r',
  })
  expect(attributesOf(step?.attributes ?? [])).toMatchObject({ 'triton.trace_parent_id': 1 })
  expect(root?.events.map(({ name }) => name)).toEqual(['HTTP_RECV_START'])
  expect(step?.events.map(({ name }) => name)).toEqual([
    'REQUEST_START',
    'QUEUE_START',
    'INFER_RESPONSE_COMPLETE',
    'REQUEST_END',
  ])
  expect(compute?.events.map(({ name }) => name)).toEqual([
    'COMPUTE_START',
    'COMPUTE_INPUT_END',
    'COMPUTE_OUTPUT_START',
    'COMPUTE_END',
  ])
  // Times of the monotonic clock became times of day; that one counts milliseconds.
  const start = BigInt(root?.startTimeUnixNano ?? 0)
  expect(start).toBeGreaterThan(before - 2_000_000n)
  expect(start).toBeLessThan(after + 2_000_000n)
  expect(BigInt(root?.endTimeUnixNano ?? 0)).toBeGreaterThanOrEqual(start)
  expect(collector.resource).toMatchObject({ 'service.name': 'triton-inference-server', team: 'a' })
})

test('the trace of a client goes on here, sampled there or not', async () => {
  run((name) => headers[name])
  await until(() => collector.spans.length === 4)
  expect(named('InferRequest')).toMatchObject({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    parentSpanId: 'b7ad6b7169203331',
    traceState: 'v=1',
  })
})

test('a request that failed is marked', async () => {
  run(() => undefined, new ServerError('INTERNAL', 'boom'))
  await until(() => collector.spans.length === 4)
  expect(named('step')?.status).toEqual({ code: 2, message: 'boom' })
  expect(named('InferRequest')?.status.message).toBe('boom')
})

test('what waits is sent at the close', async () => {
  run(() => undefined)
  await tracing.close()
  expect(collector.spans).toHaveLength(4)
})

test('a collector that refuses is spoken of once, what is lost is counted, and it is served again by itself', async () => {
  collector.status = 400
  for (let i = 1; i <= 3; i++) {
    run(() => undefined)
    await until(() => collector.posts === i)
  }
  await until(() => lost() === 12)
  expect(logged).toHaveLength(1)
  expect(logged[0]).toContain(`traces do not reach ${collector.url}`)
  collector.status = 200
  run(() => undefined)
  await until(() => collector.spans.length === 4)
  await until(() => logged.length === 2)
  expect(logged[1]).toContain('again; 12 spans were lost so far')
})

test('a collector that is gone is spoken of once, and what it missed is lost when it is back', async () => {
  await collector.close()
  for (let i = 1; i <= 2; i++) {
    run(() => undefined)
    await until(() => lost() === 4 * i)
  }
  expect(logged).toHaveLength(1)
  collector = await startCollector(collector.port)
  run(() => undefined)
  await until(() => logged.length === 2)
  expect(collector.spans).toHaveLength(4)
  expect(logged[1]).toContain('again; 8 spans were lost so far')
})

test('spans for which there is no room are lost and counted, and nobody waits for them', async () => {
  await collector.close()
  // 100 spans wait at most, four of each request.
  for (let i = 0; i < 1000; i++) run(() => undefined)
  expect(lost()).toBe(4 * 975)
  await tracing.close()
})

function lost(): number {
  return tracing.families()[0]?.samples[0]?.value ?? 0
}
