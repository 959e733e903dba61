import type { ServerError } from '../errors.ts'
import { type Refusals, refusals } from './refusals.ts'
import type { Gate, Gates, ShedReason } from './types.ts'

/** `--max-inflight`. */
export const DEFAULT_MAX_INFLIGHT = 4096
/** Share of the memory of the machine or its control group that bodies may take (`--memory-budget`). */
export const DEFAULT_BUDGET_SHARE = 0.25
/** Bodies of requests that are no inference are let in up to this size whatever the budget says. */
export const FREE_BYTES: number = 64 * 1024

export interface GateOptions {
  /** Inference requests in flight; 0 = any number. Default {@link DEFAULT_MAX_INFLIGHT}. */
  readonly maxInflight?: number
  /** Bytes of request bodies; 0 = any number. Default 0. */
  readonly memoryBudget?: number
}

/** Counts what is in flight and refuses what is too much. No clock, no allocation: two sums and two compares a request. */
export class OverloadGate implements Gate, Gates {
  readonly inference: Gate = this
  readonly control: Gate
  readonly probes: Gate
  /** Requests that were refused, by reason. */
  readonly shed: Record<ShedReason, number> = { inflight: 0, memory: 0, lag: 0, rss: 0 }
  /** Inference requests in flight. */
  inflight = 0
  /** Bytes of request bodies in memory. */
  bytes = 0
  readonly #maxInflight: number
  readonly #budget: number
  readonly #refusals: Refusals
  /** {@link #maxInflight}, or 0 while inference is shed. */
  #places: number
  #lagging = false
  #exhausted = false

  constructor(options: GateOptions = {}) {
    const { maxInflight = DEFAULT_MAX_INFLIGHT, memoryBudget = 0 } = options
    this.#maxInflight = maxInflight === 0 ? Number.MAX_SAFE_INTEGER : maxInflight
    this.#budget = memoryBudget === 0 ? Number.MAX_SAFE_INTEGER : memoryBudget
    this.#places = this.#maxInflight
    this.#refusals = refusals(maxInflight, memoryBudget)
    this.control = new SideGate(this, false)
    this.probes = new SideGate(this, true)
  }

  enter(bytes: number): ServerError | null {
    const total = this.bytes + bytes
    if (this.inflight >= this.#places || total > this.#budget) return this.#refuse(bytes)
    this.inflight++
    this.bytes = total
    return null
  }

  grow(bytes: number): ServerError | null {
    const total = this.bytes + bytes
    if (total > this.#budget) return this.#refuseBytes(bytes)
    this.bytes = total
    return null
  }

  leave(bytes: number): void {
    this.inflight--
    this.bytes -= bytes
  }

  /** Bytes for a request that is no inference. */
  take(bytes: number, always: boolean): ServerError | null {
    if (this.#exhausted && !always) {
      this.shed.rss++
      return this.#refusals.rss
    }
    if (bytes > FREE_BYTES) return this.grow(bytes)
    this.bytes += bytes
    return null
  }

  /** The event loop is too late: new inference is refused. */
  set lagging(lagging: boolean) {
    this.#lagging = lagging
    this.#setPlaces()
  }

  /** The process is about to run out of memory: everything but probes is refused. */
  set exhausted(exhausted: boolean) {
    this.#exhausted = exhausted
    this.#setPlaces()
  }

  #setPlaces(): void {
    this.#places = this.#lagging || this.#exhausted ? 0 : this.#maxInflight
  }

  #refuse(bytes: number): ServerError {
    if (this.#exhausted) {
      this.shed.rss++
      return this.#refusals.rss
    }
    if (this.#lagging) {
      this.shed.lag++
      return this.#refusals.lag
    }
    if (this.inflight < this.#maxInflight) return this.#refuseBytes(bytes)
    this.shed.inflight++
    return this.#refusals.inflight
  }

  #refuseBytes(bytes: number): ServerError {
    this.shed.memory++
    return bytes > this.#budget ? this.#refusals.tooLarge : this.#refusals.memory
  }
}

/** The way in for what is no inference: its bytes count, its number does not. */
class SideGate implements Gate {
  readonly #gate: OverloadGate
  readonly #always: boolean

  constructor(gate: OverloadGate, always: boolean) {
    this.#gate = gate
    this.#always = always
  }

  enter(bytes: number): ServerError | null {
    return this.#gate.take(bytes, this.#always)
  }

  grow(bytes: number): ServerError | null {
    return this.#gate.grow(bytes)
  }

  leave(bytes: number): void {
    this.#gate.bytes -= bytes
  }
}
