import type { Clock } from '../../../core/platform.ts'

/** A model that runs longer than this at a time is named in the log, once. Milliseconds. */
export const SLOW_EXECUTION_MS = 30_000

export interface BusyWatchOptions {
  readonly clock: Clock
  /** 0 = none. */
  readonly timeoutMs: number
  /** When what runs now was sent, `Clock.now()`; 0 = nothing runs. */
  readonly since: () => number
  readonly slow: () => void
  readonly late: () => void
}

/** Looks after executions that take long, with one timer that mostly sleeps: short ones cost nothing. */
export class BusyWatch {
  readonly #options: BusyWatchOptions
  #cancel: (() => void) | null = null
  #named = 0

  constructor(options: BusyWatchOptions) {
    this.#options = options
  }

  /** Something began to run. */
  start(): void {
    if (this.#cancel === null) this.#arm(this.#shortest)
  }

  /** Idempotent. */
  close(): void {
    this.#cancel?.()
    this.#cancel = null
  }

  get #shortest(): number {
    const { timeoutMs } = this.#options
    return timeoutMs > 0 ? Math.min(timeoutMs, SLOW_EXECUTION_MS) : SLOW_EXECUTION_MS
  }

  #arm(ms: number): void {
    this.#cancel = this.#options.clock.after(ms * 1e6, () => this.#look())
  }

  #look(): void {
    this.#cancel = null
    const { clock, timeoutMs, since, slow, late } = this.#options
    const sentNs = since()
    if (sentNs === 0) return
    const ms = (clock.now() - sentNs) / 1e6
    if (timeoutMs > 0 && ms >= timeoutMs) {
      late()
      return
    }
    if (ms >= SLOW_EXECUTION_MS && this.#named !== sentNs) {
      this.#named = sentNs
      slow()
    }
    const next = ms >= SLOW_EXECUTION_MS ? SLOW_EXECUTION_MS : SLOW_EXECUTION_MS - ms
    this.#arm(Math.max(1, timeoutMs > 0 ? Math.min(next, timeoutMs - ms) : next))
  }
}
