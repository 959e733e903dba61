import { expect, test } from 'vitest'
import { ServerError } from '../../../core/errors.ts'
import { InferRequest } from '../../../core/infer.ts'
import { OFF, TIMESTAMPS } from '../../../core/trace/level.ts'
import type { Trace, Tracer } from '../../../core/trace/types.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'
import { keepTraces } from '../../helpers/traces.ts'

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'
const none = (): undefined => undefined
const parented = (name: string) => (name === 'traceparent' ? PARENT : undefined)
const MODEL = { name: 'm', version: 3 }

function request(): InferRequest {
  return new InferRequest({ id: 'r1', inputs: [] }, { answer: () => undefined })
}

/** Runs a request to its end. */
function run(trace: Trace | null): void {
  if (trace === null) return
  const one = request()
  one.trace = trace.request
  trace.request.begin(one, MODEL)
  one.respond({ outputs: [] })
  trace.close()
}

const sampled = (tracer: Tracer, count: number, header = none as typeof parented): boolean[] =>
  Array.from({ length: count }, () => {
    const trace = tracer.sample('m', header)
    run(trace)
    return trace !== null
  })

test('every r-th request is traced', () => {
  const { tracer, traces } = keepTraces(createFakeClock(), { rate: 3 })
  expect(sampled(tracer, 7)).toEqual([false, false, true, false, false, true, false])
  expect(traces.map(({ id }) => id)).toEqual([1, 2])
})

test('the count goes down to 0, and then nothing is traced before it is set again', () => {
  const { tracer } = keepTraces(createFakeClock(), { count: 2 })
  expect(sampled(tracer, 3)).toEqual([true, true, false])
  expect(tracer.settings('').count).toBe(0)
  tracer.update('', { count: 1 })
  expect(sampled(tracer, 2)).toEqual([true, false])
})

test('a trace of the client is followed whatever the rate and the count are, in opentelemetry mode alone', () => {
  const open = { mode: 'opentelemetry', file: '' } as const
  const { tracer, traces } = keepTraces(createFakeClock(), { rate: 1000, count: 1 }, open)
  expect(sampled(tracer, 3, parented)).toEqual([true, true, true])
  expect(traces[0]?.parent).toEqual({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    flags: 0,
    state: '',
  })
  const never = keepTraces(createFakeClock(), { rate: 0 }, open).tracer
  expect(sampled(never, 1, parented)).toEqual([true])
  expect(sampled(never, 1)).toEqual([false])
  const off = keepTraces(createFakeClock(), { level: OFF }, open).tracer
  expect(sampled(off, 1, parented)).toEqual([false])
  const triton = keepTraces(createFakeClock(), { rate: 2 }).tracer
  expect(sampled(triton, 1, parented)).toEqual([false])
})

test('a trace is finished when its front end is done with it and all its requests had their last answers', () => {
  const clock = createFakeClock()
  const { tracer, traces } = keepTraces(clock)
  const trace = tracer.sample('m', none) as Trace
  const [parent, child] = [request(), request()]
  parent.trace = trace.request
  trace.request.begin(parent, MODEL)
  child.trace = trace.request.child()
  child.trace.begin(child, { name: 'step', version: 1 })
  parent.respond({ outputs: [] })
  trace.close()
  trace.close()
  expect(traces).toEqual([])
  clock.advance(5)
  child.respond(new ServerError('INTERNAL', 'boom'))
  expect(traces).toHaveLength(1)
  const [own, step] = traces[0]?.models ?? []
  expect(own).toMatchObject({ id: 1, parentId: 0, model: 'm', version: 3, requestId: 'r1' })
  expect(step).toMatchObject({ id: 2, parentId: 1, model: 'step', error: 'boom' })
})

test('what never came to a model is no trace', () => {
  const { tracer, traces } = keepTraces(createFakeClock())
  tracer.sample('m', none)?.close()
  expect(traces).toEqual([])
})

test('settings that are replaced go out when the last of their traces has ended', () => {
  const kept = keepTraces(createFakeClock())
  const trace = kept.tracer.sample('m', none)
  kept.tracer.update('', { level: TIMESTAMPS })
  expect(kept.retired).toBe(0)
  run(trace)
  expect(kept.retired).toBe(1)
})

test('a request that is handed from one model to another begins once', () => {
  const { tracer, traces } = keepTraces(createFakeClock())
  const trace = tracer.sample('m', none) as Trace
  const one = request()
  one.trace = trace.request
  trace.request.begin(one, MODEL)
  trace.request.begin(one, { name: 'm', version: 4 })
  one.respond({ outputs: [] })
  trace.close()
  expect(traces[0]?.models).toHaveLength(1)
})
