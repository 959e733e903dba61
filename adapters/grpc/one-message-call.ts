import { Call } from './call.ts'
import { NOT_ONE_MESSAGE } from './call-status.ts'
import type { CallStatus } from './types.ts'

/** A call of one message in and one out. */
export abstract class OneMessageCall extends Call {
  #message: Uint8Array | null = null
  /** Bytes taken at the gate; -1 = none, or given back. */
  #held = -1

  message(bytes: Uint8Array, held: number): void {
    if (this.#held >= 0) {
      this.head.gate?.leave(held)
      this.finish(NOT_ONE_MESSAGE)
      return
    }
    this.#message = bytes
    this.#held = held
  }

  end(): void {
    const message = this.#message
    if (message === null) {
      this.finish(NOT_ONE_MESSAGE)
      return
    }
    this.#message = null
    this.run(message)
  }

  /** Answers; whatever goes wrong becomes the answer. */
  protected abstract run(message: Uint8Array): void

  protected close(status: CallStatus): void {
    this.stream.headers(this.service.responses.only(status), true)
  }

  /** What the call took is free again. Idempotent. */
  protected giveBack(): void {
    if (this.#held >= 0) this.head.gate?.leave(this.#held)
    this.#held = -1
    this.leave()
  }
}
