import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packBytes } from '../../../core/bytes.ts'
import { ServerError } from '../../../core/errors.ts'
import { InferRequest } from '../../../core/infer.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../core/protocol/limits.ts'
import { parseTraceBody } from '../../../core/protocol/rest/trace-body.ts'
import { DATATYPE_SIZES, type Datatype } from '../../../core/tensor.ts'
import { MAX_TENSOR_CHARS } from '../../../core/trace/request-trace.ts'
import { parseTraceParent } from '../../../core/trace/traceparent.ts'
import type { Trace } from '../../../core/trace/types.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'
import { traceObjects } from '../../helpers/trace-events.ts'
import { keepTraces } from '../../helpers/traces.ts'

// fast-check prints the seed of a run that fails.
const KEYS = ['trace_level', 'trace_rate', 'trace_count', 'log_frequency', 'trace_file', 'other']
const text = fc.oneof(fc.string({ unit: 'binary' }), fc.integer().map(String), fc.constant('OFF'))
const value = fc.oneof(fc.jsonValue(), text, fc.array(text))

test('whatever a client sends as settings, they stay settings', () => {
  const { tracer } = keepTraces(createFakeClock())
  fc.assert(
    fc.property(
      fc.constantFrom('', 'm'),
      fc.dictionary(fc.constantFrom(...KEYS), value),
      (model, body) => {
        const bytes = new TextEncoder().encode(JSON.stringify(body))
        try {
          tracer.update(model, parseTraceBody(bytes, DEFAULT_PROTOCOL_LIMITS))
        } catch (error) {
          expect(error).toBeInstanceOf(ServerError)
        }
        const { level, rate, count, logFrequency } = tracer.settings(model)
        expect([0, 1, 2, 3]).toContain(level)
        for (const number of [rate, logFrequency]) expect(number >>> 0).toBe(number)
        expect(count | 0).toBe(count)
        expect(count).toBeGreaterThanOrEqual(-1)
      },
    ),
    { numRuns: 2000 },
  )
})

test('any header is a parent or none', () => {
  const near = fc.stringMatching(/^[0-9a-f]{2}-[0-9a-f]{30,33}-[0-9a-f]{15,17}-[0-9a-f]{2}.?$/)
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), near),
      fc.option(fc.string(), { nil: undefined }),
      (parent, state) => {
        const parsed = parseTraceParent(parent, state)
        if (parsed !== null) expect(parent.trim().startsWith(parsed.traceId, 3)).toBe(true)
      },
    ),
    { numRuns: 2000 },
  )
})

test('ids and tensors of any content make JSON that says the same', () => {
  const { tracer, traces } = keepTraces(createFakeClock())
  const datatypes = Object.keys(DATATYPE_SIZES) as Datatype[]
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary' }),
      fc.constantFrom(...datatypes),
      fc.uint8Array({ maxLength: 64 }),
      (id, name, datatype, data) => {
        const trace = tracer.sample('m', () => undefined) as Trace
        const inputs = [{ name, datatype, shape: [1, data.length], data }]
        const request = new InferRequest({ id, inputs }, { answer: () => undefined })
        request.trace = trace.request
        trace.request.begin(request, { name: 'm', version: 1 })
        request.respond({ outputs: inputs })
        trace.close()
        const objects = traceObjects(traces.at(-1))
        expect(objects.find((one) => one.model_name === 'm')?.request_id ?? '').toBe(id)
        expect(objects.filter((one) => one.tensor?.name === name)).toHaveLength(2)
      },
    ),
    { numRuns: 2000 },
  )
})

test('a stream of large tensors makes no trace without end', () => {
  const { tracer, traces } = keepTraces(createFakeClock())
  const trace = tracer.sample('m', () => undefined) as Trace
  const data = packBytes([new Uint8Array(1_000_000)])
  const large = { name: 'TEXT', datatype: 'BYTES', shape: [1], data } as const
  const request = new InferRequest({ inputs: [] }, { answer: () => undefined })
  request.trace = trace.request
  trace.request.begin(request, { name: 'm', version: 1 })
  for (let i = 0; i < 100; i++) request.respond({ outputs: [large] }, false)
  request.respond(null)
  trace.close()
  const [{ responsesNs, tensors } = { responsesNs: [], tensors: [] }] = traces[0]?.models ?? []
  expect(responsesNs).toHaveLength(100)
  const chars = tensors.reduce((sum, one) => sum + one.data.length, 0)
  expect(chars).toBeGreaterThan(MAX_TENSOR_CHARS / 2)
  expect(chars).toBeLessThan(1.1 * MAX_TENSOR_CHARS)
})
