/** How long it takes until an instance that ended is started again, milliseconds: the first time, and at most. */
export const FIRST_RESTART_MS = 100
export const MAX_RESTART_MS = 10_000

/** Waits that double with each failure in a row. */
export class Backoff {
  #next = FIRST_RESTART_MS

  next(): number {
    const wait = this.#next
    this.#next = Math.min(MAX_RESTART_MS, wait * 2)
    return wait
  }

  reset(): void {
    this.#next = FIRST_RESTART_MS
  }
}
