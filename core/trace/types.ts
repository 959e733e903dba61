import type { RequestTrace } from '../infer.ts'
import type { TraceLevel } from './level.ts'

/** Where traces go: Triton's JSON file, or a collector that speaks OTLP. */
export type TraceMode = 'triton' | 'opentelemetry'

/** What is in force for a model, or for all. Whole numbers. */
export interface TraceValues {
  readonly level: TraceLevel
  /** Every so many requests are traced; 0 = none but those that ask for it. */
  readonly rate: number
  /** Traces that are still to be made; -1 = no end. */
  readonly count: number
  /** Traces per indexed file; 0 = one file for all. */
  readonly logFrequency: number
}

/** A change of some settings: null = as the enclosing level has it, absent = as it is. */
export type TraceChange = { readonly [K in keyof TraceValues]?: TraceValues[K] | null }

/** What settings show beside their values, the same for all. */
export interface TraceFacts {
  readonly mode: TraceMode
  /** '' = none. */
  readonly file: string
  /** Options of the mode, in the order in which they are shown. */
  readonly options: readonly (readonly [name: string, value: string])[]
}

export interface TraceMark {
  readonly name: string
  /** `Clock.now()`. */
  readonly ns: number
}

export interface TracedTensor {
  readonly activity: 'TENSOR_QUEUE_INPUT' | 'TENSOR_BACKEND_OUTPUT'
  readonly name: string
  readonly data: string
  readonly shape: readonly number[]
  readonly datatype: string
}

/** A request's way through one model. Times are `Clock.now()`, 0 = it did not get there. */
export interface ModelTrace {
  readonly id: number
  /** 0 = the client's own request. */
  readonly parentId: number
  readonly model: string
  readonly version: number
  /** '' = none. */
  readonly requestId: string
  readonly startNs: number
  readonly queuedNs: number
  readonly computeStartNs: number
  readonly computeInputEndNs: number
  readonly computeOutputStartNs: number
  readonly computeEndNs: number
  readonly responsesNs: readonly number[]
  readonly endNs: number
  /** '' = it succeeded. */
  readonly error: string
  readonly tensors: readonly TracedTensor[]
}

/** A trace that somebody else began. */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
  readonly flags: number
  /** The `tracestate` that came with it; '' = none. */
  readonly state: string
}

/** Everything about one request of a client and the requests that were made for it. */
export interface FinishedTrace {
  readonly id: number
  readonly level: TraceLevel
  readonly parent: TraceParent | null
  /** What the front end noted, in order. */
  readonly marks: readonly TraceMark[]
  /** In the order in which they began; the first is the client's own request. */
  readonly models: readonly ModelTrace[]
  readonly startNs: number
  readonly endNs: number
}

/** Takes finished traces. Never throws and never waits. */
export interface TraceCollector {
  collect(trace: FinishedTrace): void
  /** No more come: what was kept back goes out. */
  retire(): void
}

/** One sampled request, as its front end sees it. */
export interface Trace {
  /** For the request itself. */
  readonly request: RequestTrace
  mark(name: string, ns: number): void
  /** The answer went out, or nobody waits for it any more. Idempotent. */
  close(): void
}

/** Samples requests. One per server, shared by its front ends. */
export interface Tracer {
  /** Whether some request may be traced: asked before anything else is done for it. */
  readonly active: boolean
  /** Time for {@link Trace.mark}, nanoseconds. */
  now(): number
  /** A trace for a request to `model` that has these headers (names in lower case); null = it is not traced. */
  sample(model: string, header: (name: string) => string | undefined): Trace | null
  /** What is in force for `model`; '' = for all. */
  settings(model: string): TraceValues
  readonly facts: TraceFacts
  /** Changes what is in force for `model`, '' = for all. Throws INVALID_ARG for what makes no sense, and changes nothing then. */
  update(model: string, change: TraceChange): void
  /** Ends all traces: what was kept back goes out. Idempotent. */
  close(): void
}
