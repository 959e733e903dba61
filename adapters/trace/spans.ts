import type { Context, HrTime, Span, Tracer, TraceState } from '@opentelemetry/api'
import type { Clock } from '../../core/platform.ts'
import { TIMESTAMPS } from '../../core/trace/level.ts'
import type { FinishedTrace, ModelTrace, TraceParent } from '../../core/trace/types.ts'

type Api = typeof import('@opentelemetry/api')

/**
 * Makes spans of finished traces, as Triton names them: `InferRequest`, below it one per model, and in that `compute`; the
 * timestamps are their events. `api` is handed in because its package is loaded late.
 */
export function spanWriter(api: Api, tracer: Tracer, clock: Clock): (trace: FinishedTrace) => void {
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace: spans, createTraceState } = api

  const start = (name: string, startTime: HrTime, parent: Context): Span =>
    tracer.startSpan(name, { kind: SpanKind.SERVER, startTime }, parent)
  const fail = (span: Span, message: string): void => {
    if (message !== '') span.setStatus({ code: SpanStatusCode.ERROR, message })
  }
  const remote = (parent: TraceParent | null): Context => {
    if (parent === null) return ROOT_CONTEXT
    const { traceId, spanId, flags, state } = parent
    const traceState: TraceState | undefined = state === '' ? undefined : createTraceState(state)
    return spans.setSpanContext(ROOT_CONTEXT, {
      traceId,
      spanId,
      traceFlags: flags,
      isRemote: true,
      ...(traceState === undefined ? {} : { traceState }),
    })
  }
  const addModel = (model: ModelTrace, parent: Context, timed: boolean, at: Times): Context => {
    const span = start(model.model, at(model.startNs), parent)
    const context = spans.setSpan(parent, span)
    span.setAttributes({
      'triton.model_name': model.model,
      'triton.model_version': model.version,
      'triton.trace_id': model.id,
      'triton.trace_parent_id': model.parentId,
      ...(model.requestId === '' ? {} : { 'triton.request_id': model.requestId }),
    })
    const event = (on: Span, name: string, ns: number): void => {
      if (timed && ns > 0) on.addEvent(name, at(ns))
    }
    event(span, 'REQUEST_START', model.startNs)
    event(span, 'QUEUE_START', model.queuedNs)
    if (model.computeStartNs > 0) {
      const compute = start('compute', at(model.computeStartNs), context)
      event(compute, 'COMPUTE_START', model.computeStartNs)
      event(compute, 'COMPUTE_INPUT_END', model.computeInputEndNs)
      event(compute, 'COMPUTE_OUTPUT_START', model.computeOutputStartNs)
      event(compute, 'COMPUTE_END', model.computeEndNs)
      compute.end(at(model.computeEndNs))
    }
    for (const ns of model.responsesNs) event(span, 'INFER_RESPONSE_COMPLETE', ns)
    event(span, 'REQUEST_END', model.endNs)
    fail(span, model.error)
    span.end(at(model.endNs))
    return context
  }

  return (trace) => {
    const at = epochTimes(clock)
    const timed = (trace.level & TIMESTAMPS) !== 0
    const root = start('InferRequest', at(trace.startNs), remote(trace.parent))
    const contexts = new Map<number, Context>([[0, spans.setSpan(remote(trace.parent), root)]])
    for (const model of trace.models) {
      // What made a request began before it; the oldest may be left out of a very large trace.
      const parent = contexts.get(model.parentId) ?? (contexts.get(0) as Context)
      contexts.set(model.id, addModel(model, parent, timed, at))
    }
    if (timed) for (const { name, ns } of trace.marks) root.addEvent(name, at(ns))
    fail(root, trace.models[0]?.error ?? '')
    root.end(at(trace.endNs))
  }
}

type Times = (ns: number) => HrTime

/** Times of the clock as times of day; nanoseconds apart as they were. */
function epochTimes(clock: Clock): Times {
  const nowNs = clock.now()
  const epochMs = clock.epochMs()
  const seconds = Math.floor(epochMs / 1000)
  const nanos = (epochMs - seconds * 1000) * 1e6
  return (ns) => {
    const at = Math.round(nanos + ns - nowNs)
    const whole = Math.floor(at / 1e9)
    return [seconds + whole, at - whole * 1e9]
  }
}

/** Spans that {@link spanWriter} makes of `trace`. */
export function spanCount({ models }: FinishedTrace): number {
  let count = 1
  for (const model of models) count += model.computeStartNs > 0 ? 2 : 1
  return count
}
