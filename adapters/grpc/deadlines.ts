import type { Clock } from '../../core/platform.ts'
import { createAlarm } from '../../core/schedulers/alarm.ts'
import { type Deadlined, DeadlineHeap } from '../../core/schedulers/deadline-heap.ts'

/** A call with a deadline. `deadlineNs` is `Clock.now()` time. */
export interface Expiring extends Deadlined {
  /** Called once when the deadline passes; the call left the heap before. */
  expire(): void
}

/** All deadlines of a server behind one timer, so that a call costs no timer and no closure. */
export class Deadlines {
  readonly #clock: Clock
  readonly #onError: (error: unknown) => void
  readonly #heap = new DeadlineHeap<Expiring>()
  readonly #alarm: { set(atNs: number): void }

  /** `onError` is told what an `expire` threw; the others expire all the same. */
  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.#clock = clock
    this.#onError = onError
    this.#alarm = createAlarm({ clock, onRing: () => this.#ring() })
  }

  get size(): number {
    return this.#heap.size
  }

  /** Has `call` expire in `timeoutNs`. */
  add(call: Expiring, timeoutNs: number): void {
    call.deadlineNs = this.#clock.now() + timeoutNs
    this.#heap.add(call)
    if (call.heapIndex === 0) this.#alarm.set(call.deadlineNs)
  }

  /** Nothing happens when `call` has no deadline. */
  remove(call: Expiring): void {
    if (call.heapIndex < 0) return
    this.#heap.remove(call)
    // A timer for a call that is gone finds nothing due and moves on; only the last one is stopped.
    if (this.#heap.size === 0) this.#alarm.set(0)
  }

  /** Stops the timer; nobody expires any more. Idempotent. */
  close(): void {
    this.#alarm.set(0)
  }

  #ring(): void {
    const nowNs = this.#clock.now()
    for (;;) {
      const next = this.#heap.peek()
      if (next === undefined) return
      if (next.deadlineNs > nowNs) {
        this.#alarm.set(next.deadlineNs)
        return
      }
      this.#heap.remove(next)
      try {
        next.expire()
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}
