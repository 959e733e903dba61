import { ANYBODY, isRefusal, type Principal } from '../../core/access/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { Operation } from '../../core/operations.ts'
import { ProtoError } from '../../core/protocol/grpc/proto-error.ts'
import type { ServerStream, StreamHandler } from '../http2/types.ts'
import type { CallHead } from './call-head.ts'
import { DEADLINE_EXCEEDED, refusalStatus, statusOf } from './call-status.ts'
import type { Expiring } from './deadlines.ts'
import { MessageReader, type MessageSink, PREFIX_BYTES, prefixLength } from './message-reader.ts'
import type { Service } from './service.ts'
import type { CallStatus } from './types.ts'

/** What every call has: its messages, its deadline, its principal and its end, which comes once. */
export abstract class Call implements StreamHandler, MessageSink, Expiring {
  deadlineNs = 0
  heapIndex = -1
  protected readonly service: Service
  protected readonly stream: ServerStream
  protected readonly head: CallHead
  /** The response is complete, or nobody waits for one: nothing can be sent. */
  protected over = false
  /** Whom the call counts for once it was let in. */
  protected principal: Principal = ANYBODY
  #reader: MessageReader | null = null
  /** The client has sent everything. */
  #received = false
  /** The principal's place among its requests in flight was taken. */
  #placed = false

  constructor(service: Service, stream: ServerStream, head: CallHead) {
    this.service = service
    this.stream = stream
    this.head = head
    if (head.timeoutNs >= 0) service.deadlines.add(this, head.timeoutNs)
  }

  abstract message(bytes: Uint8Array, held: number): void
  abstract end(): void
  /** Nothing can be sent any more: cancels what runs. Called at most once. */
  protected abstract gone(): void
  /** Sends the end of the response; the transport tells a client that still sends to stop. */
  protected abstract close(status: CallStatus): void

  data(chunk: Uint8Array, end: boolean): void {
    if (this.over || this.#received) return
    this.#received = end
    if (this.#reader === null) {
      if (end && isWhole(chunk) && chunk.length - PREFIX_BYTES <= this.service.reader.maxBytes) {
        this.#whole(chunk)
        return
      }
      const { coding, gate } = this.head
      this.#reader = new MessageReader(this.stream, this, coding, this.service.reader, gate)
    }
    this.#reader.push(chunk, end)
  }

  /** One plain message, which is what most calls send: no reader is needed. */
  #whole(chunk: Uint8Array): void {
    const length = chunk.length - PREFIX_BYTES
    const refusal = this.head.gate?.enter(length) ?? null
    if (refusal !== null) {
      this.finish(statusOf(refusal))
      return
    }
    this.message(chunk.subarray(PREFIX_BYTES), length)
    if (!this.over) this.end()
  }

  failed(status: CallStatus): void {
    this.finish(status)
  }

  expire(): void {
    this.finish(DEADLINE_EXCEEDED)
  }

  aborted(): void {
    if (this.over) return
    this.#settle()
    this.gone()
  }

  /** Ends the call before its answer, or a stream after its last one, and cancels what still runs. Idempotent. */
  finish(status: CallStatus): void {
    if (this.over) return
    this.#settle()
    this.close(status)
    this.gone()
  }

  /** What the client is told of `error`; what it is not told is logged. */
  protected fail(error: unknown): void {
    this.report(error)
    this.finish(statusOf(error))
  }

  protected report(error: unknown): void {
    if (error instanceof ProtoError) return
    const { cause } = ServerError.from(error)
    if (cause !== undefined) this.service.log.error(`grpc: ${String(cause)}`)
  }

  /** The last word was said in good order: no deadline, nothing to cancel. */
  protected complete(): void {
    this.#settle()
  }

  #settle(): void {
    this.over = true
    this.service.deadlines.remove(this)
    this.#reader?.close()
  }

  /** The client is not in the middle of a message. */
  protected get idle(): boolean {
    return this.#reader?.idle ?? true
  }

  protected pause(): void {
    this.#reader?.pause()
  }

  protected resume(): void {
    this.#reader?.resume()
  }

  /** Whether the caller may do this; if not, the call ended. To be given back with {@link leave}. */
  protected admit(operation: Operation, model: string): boolean {
    const { access } = this.service
    if (access === undefined) return true
    const outcome = access.authorize({ operation, model, caller: this.head.caller })
    const refusal = isRefusal(outcome) ? outcome : (outcome.enter?.() ?? null)
    if (refusal !== null) {
      this.finish(refusalStatus(refusal))
      return false
    }
    this.principal = outcome as Principal
    this.#placed = true
    return true
  }

  /** Nothing of the call runs any more. Idempotent. */
  protected leave(): void {
    if (!this.#placed) return
    this.#placed = false
    this.principal.leave?.()
  }
}

/** Exactly one plain message. */
function isWhole(chunk: Uint8Array): boolean {
  return (
    chunk.length >= PREFIX_BYTES &&
    chunk[0] === 0 &&
    prefixLength(chunk) === chunk.length - PREFIX_BYTES
  )
}
