import type { Principal } from '../../core/access/types.ts'
import type { ServerStream } from '../http2/types.ts'
import { Call } from './call.ts'
import type { CallHead } from './call-head.ts'
import { SHUTTING_DOWN } from './call-status.ts'
import { MessageWriter, withPrefix } from './message-writer.ts'
import type { Service } from './service.ts'
import type { CallStatus, StreamCall, StreamMessages, StreamMethod } from './types.ts'

/** A call of a method of the table that takes and sends any number of messages. */
export class MethodStream extends Call {
  readonly #writer: MessageWriter
  readonly #abort = new AbortController()
  #messages: StreamMessages | null = null

  constructor(service: Service, stream: ServerStream, head: CallHead, method: StreamMethod) {
    super(service, stream, head)
    this.#writer = new MessageWriter(stream, service.responses, 'identity')
    if (this.over || !this.admit(method.operation, '')) return
    if (service.closing) {
      this.finish(SHUTTING_DOWN)
      return
    }
    service.streams.add(this)
    try {
      this.#messages = method.open(this.#handle(this.principal))
    } catch (error) {
      this.fail(error)
    }
  }

  /** What the method sees of the call. */
  #handle(principal: Principal): StreamCall {
    return {
      principal,
      caller: this.head.caller,
      signal: this.#abort.signal,
      metadata: (name) => this.head.caller.header(name),
      send: (parts, byteLength, release) => {
        if (!this.over) return this.#writer.send(withPrefix(parts, byteLength), release)
        release?.()
        return true
      },
      pause: () => this.pause(),
      resume: () => this.resume(),
      finish: (status) => this.finish(status),
    }
  }

  message(bytes: Uint8Array, held: number): void {
    try {
      this.#messages?.message(bytes)
    } catch (error) {
      this.fail(error)
    }
    this.head.gate?.leave(held)
  }

  end(): void {
    this.#messages?.end()
  }

  get mayIdle(): boolean {
    return this.idle
  }

  writable(): void {
    if (!this.over) this.#messages?.writable?.()
  }

  /** The server closes: nobody knows when a client would have ended this. */
  drain(): void {
    this.finish(SHUTTING_DOWN)
  }

  protected close(status: CallStatus): void {
    this.#writer.finish(status)
  }

  protected gone(): void {
    const messages = this.#messages
    this.#messages = null
    this.service.streams.delete(this)
    this.leave()
    this.#abort.abort()
    messages?.cancelled()
  }
}
