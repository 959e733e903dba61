import type { ServerError } from '../errors.ts'
import { InferRequest, type InferResponse, type RequestTrace, type ResponseSink } from '../infer.ts'

/** A request of a flight, and when it came. */
export interface Member {
  readonly request: InferRequest
  /** Where its answer has its place, where answers have an order. */
  readonly place: number
  readonly atNs: number
}

/** What becomes of a flight is decided by the scheduler it belongs to. */
export interface FlightOwner {
  /** Called once. */
  landed(flight: Flight, answer: InferResponse | ServerError | null): void
  left(flight: Flight, request: InferRequest): void
}

/** Requests of one key that are on their way to one answer. */
export class Flight implements ResponseSink {
  readonly key: string
  /** What its answer belongs to. */
  readonly identity: string
  /** In the order in which they came. While it {@link run}s, the first one's tensors are in use. */
  readonly members: Member[] = []
  /** What the model gets to see; null while only the cache was asked. */
  run: InferRequest | null = null
  /** What looking it up took. */
  lookupNs = 0
  readonly #owner: FlightOwner
  readonly #priority: number
  readonly #timeoutUs: number

  constructor(options: {
    readonly key: string
    readonly identity: string
    readonly request: InferRequest
    readonly owner: FlightOwner
  }) {
    this.key = options.key
    this.identity = options.identity
    this.#priority = options.request.priority
    this.#timeoutUs = options.request.timeoutUs
    this.#owner = options.owner
  }

  /** Whether nobody would wait longer than it may, or behind somebody less important. */
  fits(request: InferRequest): boolean {
    return request.priority === this.#priority && request.timeoutUs === this.#timeoutUs
  }

  join(member: Member): void {
    member.request.onCancel = this.#onCancel
    this.members.push(member)
  }

  /** All members, to be answered: from now on nobody can leave, also one whose answer is still kept back. */
  take(): readonly Member[] {
    return this.members.splice(0)
  }

  /** Makes the request that runs for all of them, of the first one. */
  start({ request }: Member): InferRequest {
    const { id, inputs, outputs, parameters, priority, timeoutUs, owner } = request
    const run = new InferRequest(
      { id, inputs, outputs, parameters, priority, timeoutUs, owner },
      this,
    )
    run.batchSize = request.batchSize
    run.startNs = request.startNs
    run.composing = request.composing
    if (request.trace !== null) run.trace = executionOnly(request.trace)
    this.run = run
    return run
  }

  answer(_run: InferRequest, answer: InferResponse | ServerError | null): void {
    this.#owner.landed(this, answer)
  }

  readonly #onCancel = (request: InferRequest): void => this.#owner.left(this, request)
}

/** That it came and was answered is told by the request itself. */
function executionOnly(trace: RequestTrace): RequestTrace {
  return {
    begin() {},
    executed: (startNs, inputEndNs, outputStartNs, endNs) =>
      trace.executed(startNs, inputEndNs, outputStartNs, endNs),
    answered() {},
    child: () => trace.child(),
  }
}
