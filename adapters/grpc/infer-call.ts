import { ServerError } from '../../core/errors.ts'
import type { InferRequest, InferResponse, ResponseSink } from '../../core/infer.ts'
import { withModel } from '../../core/protocol/bring-model.ts'
import { encodeInferResponse } from '../../core/protocol/grpc/encode-infer.ts'
import type { BoundInfer, ReadInfer } from '../../core/protocol/grpc/infer-memo.ts'
import type { EncodedMessage } from '../../core/protocol/grpc/types.ts'
import type { OnDemand } from '../../core/server-types.ts'
import type { Trace, Tracer } from '../../core/trace/types.ts'
import { SHUTTING_DOWN } from './call-status.ts'
import { sampleCall, sentCall } from './call-trace.ts'
import { compress } from './compressed-message.ts'
import { freeing } from './freeing.ts'
import { PREFIX_BYTES, writePrefix } from './message-reader.ts'
import { OneMessageCall } from './one-message-call.ts'
import { tailorRequest } from './tailor-request.ts'

/** ModelInfer: no promise, no closure and no header is made for it. */
export class InferCall extends OneMessageCall implements ResponseSink {
  #bound: BoundInfer | null = null
  /** Aborted when the client leaves while its model is loading. */
  #waiting: AbortController | null = null
  #trace: Trace | null = null
  /** When the call began; 0 = nobody traces. */
  headNs = 0

  protected run(message: Uint8Array): void {
    const { service } = this
    if (service.closing) {
      this.finish(SHUTTING_DOWN)
      return
    }
    try {
      const read = service.memo.read(message)
      if (!this.admit('infer', read.modelName)) return
      const { onDemand } = service
      if (onDemand === undefined || onDemand.here(read.modelName)) this.#submit(read)
      else void this.#bring(read, onDemand)
    } catch (error) {
      this.fail(error)
    }
  }

  async #bring(read: ReadInfer, onDemand: OnDemand): Promise<void> {
    const waiting = new AbortController()
    this.#waiting = waiting
    try {
      await withModel(onDemand, read.modelName, waiting.signal, () => {
        this.#waiting = null
        if (this.service.closing) this.finish(SHUTTING_DOWN)
        else if (!this.over) this.#submit(read)
      })
    } catch (error) {
      if (!this.over) this.fail(error)
    }
  }

  #submit(read: ReadInfer): void {
    const { service, principal } = this
    try {
      const found = service.memo.bind(read, { owner: principal.id, sink: this, stream: false })
      this.#bound = found
      tailorRequest(found.request, principal, this.head.forwarded)
      const bound = service.memo.route(found)
      this.#bound = bound
      if (this.headNs !== 0) this.#sample(bound)
      bound.model.submit(bound.request)
    } catch (error) {
      // It never ran, so nobody will answer it.
      const bound = this.#bound
      this.#bound = null
      bound?.lease?.close()
      this.fail(error)
    }
  }

  #sample({ request, model }: BoundInfer): void {
    const tracer = this.service.tracer as Tracer
    this.#trace = sampleCall(tracer, request, model.name, this.head, this.headNs)
  }

  protected gone(): void {
    this.#waiting?.abort()
    if (this.#bound === null) this.giveBack()
    else this.#bound.request.cancel()
  }

  answer(request: InferRequest, answer: InferResponse | ServerError | null, final: boolean): void {
    if (!final) {
      release(answer)
      return
    }
    const bound = this.#bound
    if (bound === null) {
      release(answer)
      return
    }
    this.#bound = null
    if (this.#trace !== null) this.#trace.mark('GRPC_SEND_START', this.#now())
    if (this.over) {
      this.#sent()
      release(answer)
      bound.lease?.close()
      this.giveBack()
      return
    }
    try {
      if (answer === null) throw new ServerError('INTERNAL', 'expected a single response, got 0')
      if (answer instanceof ServerError) throw answer
      this.#reply(request, answer, bound)
    } catch (error) {
      release(answer)
      bound.lease?.close()
      this.fail(error)
    }
    this.#sent()
    this.giveBack()
  }

  #now(): number {
    return (this.service.tracer as Tracer).now()
  }

  #sent(): void {
    if (this.#trace !== null) sentCall(this.service.tracer as Tracer, this.#trace)
  }

  #reply(request: InferRequest, response: InferResponse, bound: BoundInfer): void {
    const { model, outputs, lease, limits, memo } = bound
    const encoded = encodeInferResponse({
      model,
      id: request.id,
      outputs,
      response,
      lease,
      limits,
      memo,
      headroom: PREFIX_BYTES,
    })
    const { parts, byteLength } = encoded
    const free = freeing(response, lease)
    if (this.head.replyCoding !== 'identity' && byteLength > 0) {
      this.#replyCompressed(encoded, free)
      return
    }
    writePrefix(parts[0] as Uint8Array, byteLength)
    const { responses } = this.service
    this.complete()
    // One part is a copy: the response's memory is free again before the socket has taken it.
    if (parts.length === 1) free?.()
    const released = parts.length === 1 ? undefined : free
    this.stream.answer(responses.head('identity'), parts, responses.ok, released)
  }

  #replyCompressed(encoded: EncodedMessage, free: (() => void) | undefined): void {
    const { replyCoding } = this.head
    const { responses } = this.service
    compress(encoded, replyCoding, (parts, copied) => {
      if (copied || this.over) free?.()
      if (this.over) return
      this.complete()
      const released = copied ? undefined : free
      this.stream.answer(responses.head(replyCoding), parts, responses.ok, released)
    })
  }
}

function release(answer: InferResponse | ServerError | null): void {
  if (answer !== null && !(answer instanceof ServerError)) answer.release?.()
}
