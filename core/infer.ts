import type { ServerError } from './errors.ts'
import type { ComputeTimes } from './stats.ts'
import type { Tensor } from './tensor.ts'

/** A request or response parameter. `bigint` is an integer on the wire, `number` a double. */
export type ParameterValue = string | boolean | number | bigint
export type Parameters = ReadonlyMap<string, ParameterValue>

/** The response a backend or scheduler gives to one request. Tensor data may be views on a shared output buffer. */
export interface InferResponse {
  /** In the model's order, or in the order of the request's `outputs`. */
  readonly outputs: readonly Tensor[]
  readonly parameters?: Parameters
  /**
   * Gives the tensors' memory back for reuse. A sink calls it at most once, when it will not read them again; one that
   * never does costs a reuse, not a leak (the memory is garbage-collected).
   */
  readonly release?: () => void
}

/** The model that a traced request runs on. */
export interface TracedModel {
  readonly name: string
  readonly version: number
}

/** Hears of the steps of one request that is traced. Never throws. Times are `Clock.now()`. */
export interface RequestTrace {
  /** The request came to its model. */
  begin(request: InferRequest, model: TracedModel): void
  /** Its execution is over. `inputEndNs` and `outputStartNs` 0 = the backend did not say. */
  executed(startNs: number, inputEndNs: number, outputStartNs: number, endNs: number): void
  /** See {@link ResponseSink.answer}. */
  answered(request: InferRequest, answer: InferResponse | ServerError | null, final: boolean): void
  /** For a request that is made on behalf of this one. */
  child(): RequestTrace
}

/** What a front end hands over; everything that is absent takes Triton's default. */
export interface InferRequestOptions {
  /** '' = none. */
  readonly id?: string
  /** In any order; checked and put in model order by the model before it is queued. */
  readonly inputs: readonly Tensor[]
  /** Names of wanted outputs, without duplicates; null = all the model has. */
  readonly outputs?: readonly string[] | null
  readonly parameters?: Parameters | null
  /** 0 = the model's default level, 1 = highest. */
  readonly priority?: number
  /** Microseconds; 0 = none. */
  readonly timeoutUs?: number
  /** 0n or '' = none. */
  readonly sequenceId?: bigint | string
  readonly sequenceStart?: boolean
  readonly sequenceEnd?: boolean
  /** Id of the principal that sent it; '' = anybody. */
  readonly owner?: string
  /** Default null: the request is not traced. */
  readonly trace?: RequestTrace | null
}

/** Receives every answer to one request: exactly one final call, whatever happens. */
export interface ResponseSink {
  /**
   * `answer` is a response, an error, or null (a final flag without a response, decoupled models only).
   * After `final` nothing follows.
   */
  answer(request: InferRequest, answer: InferResponse | ServerError | null, final: boolean): void
  /** Whether answers wait because the client does not take them; absent = never. See {@link InferRequest.congested}. */
  congested?(): boolean
}

/**
 * One request on its way: protocol → model → scheduler → instance → protocol. The only type that crosses those borders.
 * All times are `Clock.now()` nanoseconds.
 */
export class InferRequest {
  id: string
  /** In the order of the model's config once the model has checked them. */
  inputs: readonly Tensor[]
  outputs: readonly string[] | null
  parameters: Parameters | null
  priority: number
  timeoutUs: number
  sequenceId: bigint | string
  sequenceStart: boolean
  sequenceEnd: boolean
  /** Id of the principal that sent it; '' = anybody. Sequences of one are unknown to another. */
  owner: string
  /** Rows along the batch dimension; 1 for models without one. Set by the model's checks. */
  batchSize = 1
  /** When the front end had the whole request. */
  startNs = 0
  /** When it entered the scheduler's queue. */
  queuedNs = 0
  /** Set by {@link cancel}; schedulers drop the request when they next look at it. */
  cancelled = false
  /** True once the final answer went out. */
  settled = false
  /** Set while somebody can act on a cancellation at once (a queue, a running batch). */
  onCancel: ((request: InferRequest) => void) | null = null
  /** The model's bookkeeping, called once with the final answer, before the sink. */
  onSettled: ((request: InferRequest, answer: InferResponse | ServerError | null) => void) | null =
    null
  /** Where the times of this request's execution are added up: set on the steps of an ensemble request. */
  composing: ComputeTimes | null = null
  /**
   * Set by a producer of many answers that found the request {@link congested}, or once and for all; the sink calls it, perhaps
   * for nothing, when it is not any more or nobody listens.
   */
  onWritable: (() => void) | null = null
  /** Answers are kept back for the sake of their order: whoever makes them had better wait. */
  heldBack = false
  /** null = it is not traced. */
  trace: RequestTrace | null
  readonly sink: ResponseSink

  constructor(options: InferRequestOptions, sink: ResponseSink) {
    this.id = options.id ?? ''
    this.inputs = options.inputs
    this.outputs = options.outputs ?? null
    this.parameters = options.parameters ?? null
    this.priority = options.priority ?? 0
    this.timeoutUs = options.timeoutUs ?? 0
    this.sequenceId = options.sequenceId ?? 0n
    this.sequenceStart = options.sequenceStart ?? false
    this.sequenceEnd = options.sequenceEnd ?? false
    this.owner = options.owner ?? ''
    this.trace = options.trace ?? null
    this.sink = sink
  }

  /** Passes one answer on. A second final answer is ignored: in-flight records settle exactly once. */
  respond(answer: InferResponse | ServerError | null, final = true): void {
    if (this.settled) return
    if (final) {
      this.settled = true
      this.onCancel = null
      const onSettled = this.onSettled
      if (onSettled !== null) {
        this.onSettled = null
        onSettled(this, answer)
      }
    }
    if (this.trace !== null) this.trace.answered(this, answer, final)
    this.sink.answer(this, answer, final)
  }

  /** The client left: whoever holds the request may drop it and answers CANCELLED. Idempotent. */
  cancel(): void {
    if (this.cancelled || this.settled) return
    this.cancelled = true
    this.onCancel?.(this)
  }

  /**
   * True while answers wait because the client is slower than the model. A producer of many answers then waits for
   * `onWritable`; one that goes on is not refused, but what it sends is kept in memory.
   */
  get congested(): boolean {
    return this.heldBack || (this.sink.congested?.() ?? false)
  }

  /** `[request id: ID] `, the prefix of Triton's own texts. */
  get logPrefix(): string {
    return `[request id: ${this.id === '' ? '<id_unknown>' : this.id}] `
  }
}
