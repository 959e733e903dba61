import { availableParallelism } from 'node:os'
import type { Clock } from '../../../core/platform.ts'

/** Batches are sent ahead while one takes less than this on average: none waits long for being there. Nanoseconds. */
export const BRISK_NS = 500_000
/** How long the event loop stays awake for an answer: being woken takes as long as a short execution. Nanoseconds. */
const AWAKE_NS = 200_000
/** Alone with the worker on one processor it sleeps, and lets the worker run. */
const CAN_STAY_AWAKE = availableParallelism() > 1
/** Share of the newest execution in the running mean. */
const NEWEST = 1 / 8

/** How long executions of one instance take, and what follows from that. */
export class Pace {
  /** When the last one ended, `Clock.now()`. */
  freeNs = 0
  readonly #clock: Clock
  /** When what runs now began; 0 = nothing does. */
  readonly #since: () => number
  #meanNs = 2 * BRISK_NS
  #awake = false

  constructor(clock: Clock, since: () => number) {
    this.#clock = clock
    this.#since = since
  }

  /** Whether batches may be sent ahead. */
  get brisk(): boolean {
    return this.#meanNs < BRISK_NS
  }

  /** One that began at `beginNs` has ended. */
  ended(beginNs: number): void {
    this.freeNs = this.#clock.now()
    this.#meanNs += (this.freeNs - beginNs - this.#meanNs) * NEWEST
  }

  /** Keeps the event loop awake for an answer that comes soon: it turns, and does whatever else there is. */
  stayAwake(): void {
    if (this.#awake || !CAN_STAY_AWAKE || this.#meanNs > AWAKE_NS) return
    this.#awake = true
    this.#clock.nextTurn(this.#turn)
  }

  readonly #turn = (): void => {
    const beginNs = this.#since()
    this.#awake = beginNs > 0 && this.#clock.now() - beginNs < AWAKE_NS
    if (this.#awake) this.#clock.nextTurn(this.#turn)
  }
}
