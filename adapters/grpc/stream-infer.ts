import { ServerError } from '../../core/errors.ts'
import { withModel } from '../../core/protocol/bring-model.ts'
import type { BoundInfer } from '../../core/protocol/grpc/infer-memo.ts'
import type { EncodedMessage } from '../../core/protocol/grpc/types.ts'
import type { OnDemand } from '../../core/server-types.ts'
import type { Trace, Tracer } from '../../core/trace/types.ts'
import type { ServerStream } from '../http2/types.ts'
import { Call } from './call.ts'
import type { CallHead } from './call-head.ts'
import { OK, refusalStatus, SHUTTING_DOWN, statusOf } from './call-status.ts'
import { sampleCall, sentCall } from './call-trace.ts'
import { MessageWriter } from './message-writer.ts'
import type { Service } from './service.ts'
import { StreamInferRequest, type StreamOfRequests } from './stream-infer-request.ts'
import { tailorRequest } from './tailor-request.ts'
import type { CallStatus } from './types.ts'

/** Requests of one stream that are not answered; more are not read before one of them is. */
export const MAX_STREAM_REQUESTS = 1024
/** Bytes of answers that are kept back for the sake of their order; beyond them no more requests are read. */
export const MAX_KEPT_BYTES: number = 16 * 1024 * 1024

/**
 * ModelStreamInfer: any number of requests, answered in their order but for those of decoupled models. What goes wrong with
 * one request is a message and the stream goes on, unless the client asked for a status instead.
 */
export class StreamInfer extends Call {
  readonly #writer: MessageWriter
  readonly #requests: StreamOfRequests
  /** Everything that was read and not answered. */
  readonly #open = new Set<StreamInferRequest>()
  /** Aborted when the stream ends while models are loading for it. */
  #loading: AbortController | null = null
  /** Those of them that are answered in order, from {@link #first} on. */
  #ordered: StreamInferRequest[] = []
  #first = 0
  #keptBytes = 0
  #ended = false
  #congested = false
  /** When the last traced message came; 0 = none did. */
  #waitNs = 0

  constructor(service: Service, stream: ServerStream, head: CallHead) {
    super(service, stream, head)
    const { responses } = service
    this.#writer = new MessageWriter(stream, responses, head.replyCoding, () => this.writable())
    const congested = (): boolean => this.#congested
    const over = (): boolean => this.over
    this.#requests = {
      deliver: (from, message, release) => this.#deliver(from, message, release),
      endsWith: (error) => this.#endsWith(error),
      settled: (request) => this.#settled(request),
      get congested() {
        return congested()
      },
      get over() {
        return over()
      },
    }
    service.streams.add(this)
    if (this.over) return
    if (service.closing) this.finish(SHUTTING_DOWN)
    else this.admit('infer-stream', '')
  }

  message(bytes: Uint8Array, held: number): void {
    const { service } = this
    let request: StreamInferRequest
    try {
      request = new StreamInferRequest(this.#requests, service.memo.read(bytes), held)
    } catch (error) {
      this.head.gate?.leave(held)
      this.fail(error)
      return
    }
    this.#open.add(request)
    if (this.#full) this.pause()
    const { modelName } = request.read
    const refusal = this.principal.recheck('infer-stream', modelName)
    if (refusal !== null) {
      this.finish(refusalStatus(refusal))
      return
    }
    const { onDemand } = service
    if (onDemand === undefined || onDemand.here(modelName)) this.#start(request)
    else void this.#bring(request, onDemand)
  }

  /** Whatever keeps it from running is its answer. */
  #start(request: StreamInferRequest): void {
    try {
      this.#submit(request)
    } catch (error) {
      this.#refuse(request, error)
    }
  }

  #refuse(request: StreamInferRequest, error: unknown): void {
    this.report(error)
    if (!request.decoupled) this.#place(request)
    request.tell(ServerError.from(error), true, false)
    request.settle()
  }

  async #bring(request: StreamInferRequest, onDemand: OnDemand): Promise<void> {
    this.#place(request)
    this.#loading ??= new AbortController()
    try {
      await withModel(onDemand, request.read.modelName, this.#loading.signal, () => {
        if (!this.over) this.#start(request)
      })
    } catch (error) {
      if (!this.over) this.#refuse(request, error)
    }
  }

  /** Answers come in the order of the places. */
  #place(request: StreamInferRequest): void {
    if (request.placed) return
    request.placed = true
    this.#ordered.push(request)
  }

  #submit(request: StreamInferRequest): void {
    const { service, principal } = this
    const { read } = request
    if (service.closing) throw new ServerError('UNAVAILABLE', SHUTTING_DOWN.message)
    const found = service.memo.bind(read, { owner: principal.id, sink: request, stream: true })
    request.bound = found
    tailorRequest(found.request, principal, this.head.forwarded)
    const bound = service.memo.route(found)
    request.bound = bound
    request.decoupled = bound.model.config.model_transaction_policy?.decoupled === true
    if (!request.decoupled) this.#place(request)
    this.#sample(request, bound)
    request.submitting = true
    bound.model.submit(bound.request)
    request.submitting = false
  }

  #sample(request: StreamInferRequest, { request: sampled, model }: BoundInfer): void {
    const { tracer } = this.service
    if (tracer === undefined || !tracer.active) return
    const nowNs = tracer.now()
    request.trace = sampleCall(tracer, sampled, model.name, this.head, this.#waitNs || nowNs)
    this.#waitNs = nowNs
  }

  end(): void {
    this.#ended = true
    this.#finishWhenDone()
  }

  get mayIdle(): boolean {
    return this.idle
  }

  writable(): void {
    this.#writer.unblock()
    this.#congested = false
    // An ensemble sets it once: whoever is called too often looks first whether there is anything to do.
    for (const { bound } of this.#open) bound?.request.onWritable?.()
    this.#readOn()
  }

  /** The server closes: the stream ends once what it took is answered. */
  drain(): void {
    if (!this.over) this.#finishWhenDone()
  }

  protected close(status: CallStatus): void {
    this.#writer.finish(status)
  }

  protected gone(): void {
    this.service.streams.delete(this)
    this.#loading?.abort()
    for (const request of this.#ordered) dropKept(request)
    this.#ordered = []
    this.#first = 0
    this.#keptBytes = 0
    // A cancelled request settles through its sink, some of them within the call.
    for (const request of [...this.#open]) {
      if (request.bound === null) request.settle()
      else leave(request.bound)
    }
    if (this.#open.size === 0) this.leave()
  }

  override aborted(): void {
    this.#writer.abandon()
    super.aborted()
  }

  #deliver(
    from: StreamInferRequest,
    message: EncodedMessage,
    release: (() => void) | undefined,
  ): void {
    if (from.trace !== null) this.#sending(from.trace)
    if (from.decoupled || from === this.#ordered[this.#first]) this.#send(message, release)
    else {
      from.kept.push({ message, release })
      this.#keptBytes += message.byteLength
      if (this.#full) this.pause()
    }
  }

  #sending(trace: Trace): void {
    const { tracer } = this.service
    if (tracer !== undefined) trace.mark('GRPC_SEND_START', tracer.now())
  }

  #send(message: EncodedMessage, release: (() => void) | undefined): void {
    if (this.#writer.send(message, release)) return
    this.#congested = true
    this.pause()
  }

  #endsWith(error: ServerError): boolean {
    if (this.over) return true
    if (!this.head.endsOnError) return false
    this.finish(statusOf(error))
    return true
  }

  #settled(request: StreamInferRequest): void {
    this.#open.delete(request)
    this.head.gate?.leave(request.held)
    if (request.trace !== null) sentCall(this.service.tracer as Tracer, request.trace)
    if (this.over) {
      if (this.#open.size === 0) this.leave()
      return
    }
    if (request === this.#ordered[this.#first]) this.#advance()
    this.#readOn()
    this.#finishWhenDone()
  }

  /** The first in order is done: the next ones say what they kept. */
  #advance(): void {
    const ordered = this.#ordered
    while (ordered[this.#first]?.done === true) {
      this.#first++
      const next = ordered[this.#first]
      if (next === undefined) break
      const { kept } = next
      next.kept = []
      for (const { message, release } of kept) {
        this.#keptBytes -= message.byteLength
        this.#send(message, release)
      }
    }
    // The part that is behind us is cut off now and then, not with every answer.
    if (this.#first === ordered.length) {
      ordered.length = 0
      this.#first = 0
    } else if (this.#first >= MAX_STREAM_REQUESTS) {
      ordered.splice(0, this.#first)
      this.#first = 0
    }
  }

  /** As much waits as may wait: requests for their runs, answers for earlier ones. */
  get #full(): boolean {
    const unsent = Math.max(this.#open.size, this.#ordered.length - this.#first)
    return unsent >= MAX_STREAM_REQUESTS || this.#keptBytes > MAX_KEPT_BYTES
  }

  #readOn(): void {
    if (!this.#congested && !this.#full) this.resume()
  }

  #finishWhenDone(): void {
    if (this.over || this.#open.size > 0) return
    if (this.service.closing && !this.#ended) this.finish(SHUTTING_DOWN)
    else if (this.#ended) this.finish(OK)
  }
}

function leave({ request }: BoundInfer): void {
  request.cancel()
  // A model that waits for its client finds out now.
  request.onWritable?.()
}

function dropKept(request: StreamInferRequest): void {
  for (const { release } of request.kept) release?.()
  request.kept = []
}
