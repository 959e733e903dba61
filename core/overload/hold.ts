import type { ServerError } from '../errors.ts'
import { enterAnnounced, heldAtFirst } from './announced.ts'
import type { Gate } from './types.ts'

/** One request's place at a gate: knows what it took, and gives it back once. */
export class Hold {
  readonly #gate: Gate
  /** -1 = nothing is held. */
  #bytes = -1

  constructor(gate: Gate) {
    this.#gate = gate
  }

  /** With a body of `bytes` that has yet to come. */
  enter(bytes: number): ServerError | null {
    const refusal = enterAnnounced(this.#gate, bytes)
    if (refusal === null) this.#bytes = heldAtFirst(bytes)
    return refusal
  }

  grow(bytes: number): ServerError | null {
    const refusal = this.#gate.grow(bytes)
    if (refusal === null) this.#bytes += bytes
    return refusal
  }

  /** Idempotent. */
  leave(): void {
    if (this.#bytes < 0) return
    this.#gate.leave(this.#bytes)
    this.#bytes = -1
  }
}
