/** When runs happen on the event loop itself: by measurement, never, or always (tests and benches). */
export type InlineMode = 'auto' | 'never' | 'always'

/**
 * Mean run time up to which a run stays on the event loop, nanoseconds. An asynchronous run costs the loop about 12 µs of
 * its own time and a waiter 13 µs more, on idle cores of a real machine. On a virtual one, where waking a thread is dear,
 * a copy of 600 KB that takes 30 µs inline took 430 µs through the pool. Beyond 50 µs somebody else's wait outweighs that.
 */
export const INLINE_MAX_NS = 50_000

/** Mean above which a shape that runs inline leaves the event loop again: a busy machine must not make it flutter. */
export const INLINE_LEAVE_NS = 75_000

/**
 * Asynchronous runs of a shape before one is tried inline. Each trial that was too long doubles them, up to
 * RUNS_BETWEEN_TRIALS: the first inline run of a shape is slower than its later ones, in caches nobody has warmed.
 */
export const RUNS_BEFORE_TRIAL = 8
export const RUNS_BETWEEN_TRIALS = 512

/** A trial needs an asynchronous run (its hop included) that was at most this long, nanoseconds. */
export const TRIAL_MAX_NS = 600_000

const WEIGHT = 1 / 16

/** Decides for one shape of one model whether the next run is inline, from the times of those before. */
export class Pace {
  readonly #mode: InlineMode
  /** Running mean of inline runs; infinite while none is known. */
  #mean = Number.POSITIVE_INFINITY
  #shortestAsync = Number.POSITIVE_INFINITY
  #untilTrial = RUNS_BEFORE_TRIAL
  #pause = RUNS_BEFORE_TRIAL

  constructor(mode: InlineMode) {
    this.#mode = mode
  }

  inline(): boolean {
    if (this.#mode !== 'auto') return this.#mode === 'always'
    if (this.#mean !== Number.POSITIVE_INFINITY) return true
    return this.#untilTrial <= 0 && this.#shortestAsync <= TRIAL_MAX_NS
  }

  ranInline(ns: number): void {
    // One preemption must not outweigh a hundred fast runs; several in a row must.
    const sample = Math.min(ns, INLINE_MAX_NS * 8)
    const trial = this.#mean === Number.POSITIVE_INFINITY
    this.#mean = trial ? sample : this.#mean + (sample - this.#mean) * WEIGHT
    if (this.#mean > (trial ? INLINE_MAX_NS : INLINE_LEAVE_NS)) {
      this.#mean = Number.POSITIVE_INFINITY
      this.#pause = trial ? Math.min(this.#pause * 2, RUNS_BETWEEN_TRIALS) : RUNS_BETWEEN_TRIALS
      this.#untilTrial = this.#pause
      this.#shortestAsync = Number.POSITIVE_INFINITY
    }
  }

  ranAsync(ns: number): void {
    this.#untilTrial--
    if (ns < this.#shortestAsync) this.#shortestAsync = ns
  }
}
