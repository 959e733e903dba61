import type { Caller } from '../../core/access/types.ts'
import { ProtoError } from '../../core/protocol/grpc/proto-error.ts'
import type { ServerStream } from '../http2/types.ts'
import type { CallHead } from './call-head.ts'
import { PREFIX_BYTES, writePrefix } from './message-reader.ts'
import { OneMessageCall } from './one-message-call.ts'
import type { Service } from './service.ts'
import type { CallContext, UnaryMethod } from './types.ts'

/** A call of a method of the table. */
export class ControlCall extends OneMessageCall {
  readonly #method: UnaryMethod
  readonly #abort = new AbortController()
  #running = false

  constructor(service: Service, stream: ServerStream, head: CallHead, method: UnaryMethod) {
    super(service, stream, head)
    this.#method = method
  }

  protected run(message: Uint8Array): void {
    this.#running = true
    void this.#answer(message).finally(() => {
      this.#running = false
      this.giveBack()
    })
  }

  async #answer(message: Uint8Array): Promise<void> {
    const method = this.#method
    try {
      const input = decode(method, message)
      if (!this.admit(method.operation, method.model?.(input) ?? '')) return
      const caller: Caller = this.head.caller
      const context: CallContext = { principal: this.principal, caller, signal: this.#abort.signal }
      const output = method.encode(await method.handle(input, context))
      if (this.over) return
      const prefix = new Uint8Array(PREFIX_BYTES)
      writePrefix(prefix, output.length)
      this.complete()
      const { responses } = this.service
      this.stream.answer(responses.head('identity'), [prefix, output], responses.ok)
    } catch (error) {
      this.fail(error)
    }
  }

  protected gone(): void {
    this.#abort.abort()
    // A load goes on without its client, and takes its place until it is done.
    if (!this.#running) this.giveBack()
  }
}

function decode(method: UnaryMethod, message: Uint8Array): unknown {
  try {
    return method.decode(message)
  } catch (error) {
    throw new ProtoError(error instanceof Error ? error.message : 'malformed message')
  }
}
