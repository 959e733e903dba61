/** One second of a clock's nanoseconds. */
const SECOND = 1e9

/**
 * A token bucket as one number (GCRA): when the next request would be due if they all came evenly. No timers, one addition
 * per request.
 */
export class Rate {
  #dueNs = 0

  /**
   * Lets one request through and returns 0, or returns how many nanoseconds it is too early; `perSecond` and `burst` may
   * change from one call to the next.
   */
  take(nowNs: number, perSecond: number, burst: number): number {
    const interval = SECOND / perSecond
    const due = (this.#dueNs > nowNs ? this.#dueNs : nowNs) + interval
    const early = due - nowNs - interval * burst
    // Times are sums of fractions: a nanosecond too early is none.
    if (early > 1) return early
    this.#dueNs = due
    return 0
  }

  /** Whether it is as if nothing had ever come. */
  isIdle(nowNs: number): boolean {
    return this.#dueNs <= nowNs
  }
}

/** Whole seconds for `Retry-After`; at least one. */
export function retryAfterSecs(earlyNs: number): number {
  return Math.max(1, Math.ceil(earlyNs / SECOND))
}
