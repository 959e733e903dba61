import { ServerError } from '../../core/errors.ts'
import type { InferRequest, InferResponse, ResponseSink } from '../../core/infer.ts'
import { encodeStreamError, encodeStreamResponse } from '../../core/protocol/grpc/encode-infer.ts'
import type { BoundInfer, ReadInfer } from '../../core/protocol/grpc/infer-memo.ts'
import type { EncodedMessage } from '../../core/protocol/grpc/types.ts'
import type { Trace } from '../../core/trace/types.ts'
import { freeing } from './freeing.ts'
import { PREFIX_BYTES } from './message-reader.ts'

/** One message of the client, as the stream it came by sees it. */
export interface StreamOfRequests {
  /** A message for the client. */
  deliver(
    from: StreamInferRequest,
    message: EncodedMessage,
    release: (() => void) | undefined,
  ): void
  /** An error of which the client is to be told. True = the stream ends with it, and no message is wanted. */
  endsWith(error: ServerError): boolean
  /** Nothing more comes from `request`. */
  settled(request: StreamInferRequest): void
  readonly congested: boolean
  readonly over: boolean
}

/** An answer that waits for its turn. */
interface Kept {
  readonly message: EncodedMessage
  readonly release: (() => void) | undefined
}

/** One request of a stream: makes messages of its answers. */
export class StreamInferRequest implements ResponseSink {
  readonly read: ReadInfer
  /** Bytes taken at the gate. */
  readonly held: number
  bound: BoundInfer | null = null
  /** Its messages need not wait for those of earlier requests. */
  decoupled = false
  /** It has its place among those that are answered in order. */
  placed = false
  done = false
  /** While it is handed over: what fails then never ran. */
  submitting = false
  kept: Kept[] = []
  /** null = it is not traced. */
  trace: Trace | null = null
  readonly #stream: StreamOfRequests
  /** Its regions are let go with its answer. */
  #leaseGiven = false

  constructor(stream: StreamOfRequests, read: ReadInfer, held: number) {
    this.#stream = stream
    this.read = read
    this.held = held
  }

  congested(): boolean {
    return this.#stream.congested
  }

  answer(_request: InferRequest, answer: InferResponse | ServerError | null, final: boolean): void {
    if (this.done) return
    if (this.#stream.over) release(answer)
    else if (answer instanceof ServerError) this.tell(answer, final, !this.submitting)
    else if (answer !== null || (this.decoupled && this.bound?.emptyFinal)) {
      this.#send(answer, final)
    }
    if (final) this.settle()
  }

  /** Tells the client of an error; with one that `ran` Triton repeats more than the id. */
  tell(error: ServerError, final: boolean, ran: boolean): void {
    if (this.#stream.endsWith(error)) return
    const { id, modelName, modelVersion } = this.read
    const { message } = error
    const headroom = PREFIX_BYTES
    const encoded = ran
      ? encodeStreamError({ message, id, modelName, modelVersion, final, headroom })
      : encodeStreamError({ message, id, headroom })
    this.#stream.deliver(this, encoded, undefined)
  }

  settle(): void {
    if (this.done) return
    this.done = true
    if (!this.#leaseGiven) this.bound?.lease?.close()
    this.#stream.settled(this)
  }

  #send(response: InferResponse | null, final: boolean): void {
    const { model, outputs, lease, limits, memo } = this.bound as BoundInfer
    try {
      const encoded = encodeStreamResponse({
        model,
        id: this.read.id,
        outputs,
        response,
        final,
        lease,
        limits,
        memo,
        requestedVersion: this.read.modelVersion,
        headroom: PREFIX_BYTES,
      })
      // Answers of a decoupled model may all be made of the same inputs.
      this.#leaseGiven = lease !== null && response !== null && final && !this.decoupled
      const free =
        this.#leaseGiven && response !== null ? freeing(response, lease) : response?.release
      this.#stream.deliver(this, encoded, free)
    } catch (error) {
      this.#leaseGiven = false
      release(response)
      this.tell(ServerError.from(error), final, true)
    }
  }
}

function release(answer: InferResponse | ServerError | null): void {
  if (answer !== null && !(answer instanceof ServerError)) answer.release?.()
}
