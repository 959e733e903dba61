import type { Clock } from '../../core/platform.ts'

/** A clock that only moves when told, so that schedulers are tested in no time at all. */
export interface FakeClock extends Clock {
  /**
   * Moves time on by `ns`. Work of the current turn runs first; every timer that comes due runs at its own time, in
   * order, followed by the turn it starts.
   */
  advance(ns: number): void
  /** Runs what waits for the end of this turn; what that schedules in its turn waits for the next call. */
  turn(): void
  /** Turns until nobody waits for one. Returns how many it took. */
  settle(): number
  /** Timers that are set. */
  readonly timers: number
  /** Callbacks that wait for the end of the turn. */
  readonly turns: number
}

/** Turns that {@link FakeClock.settle} allows before it takes the code under test for an endless loop. */
export const MAX_SETTLE_TURNS = 100_000

interface Timer {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

export function createFakeClock(
  options: { readonly startNs?: number; readonly epochMs?: number } = {},
): FakeClock {
  const start = options.startNs ?? 1_000_000_000
  const epoch = options.epochMs ?? 1_700_000_000_000
  let now = start
  let order = 0
  let timers: Timer[] = []
  let turns: (() => void)[] = []

  const settle = (): number => {
    let count = 0
    while (turns.length > 0) {
      if (++count > MAX_SETTLE_TURNS) throw new Error('the event loop never comes to rest')
      clock.turn()
    }
    return count
  }
  const nextDue = (until: number): Timer | undefined => {
    let due: Timer | undefined
    for (const timer of timers) {
      if (timer.at > until) continue
      if (
        due === undefined ||
        timer.at < due.at ||
        (timer.at === due.at && timer.order < due.order)
      )
        due = timer
    }
    return due
  }

  const clock: FakeClock = {
    now: () => now,
    epochMs: () => epoch + Math.floor((now - start) / 1e6),
    after(delayNs, run) {
      const timer: Timer = { at: now + Math.max(0, delayNs), order: order++, run }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    nextTurn(run) {
      turns.push(run)
    },
    advance(ns) {
      const until = now + ns
      settle()
      for (let due = nextDue(until); due !== undefined; due = nextDue(until)) {
        const timer = due
        timers = timers.filter((other) => other !== timer)
        now = Math.max(now, timer.at)
        timer.run()
        settle()
      }
      now = until
    },
    turn() {
      const run = turns
      turns = []
      for (const callback of run) callback()
    },
    settle,
    get timers() {
      return timers.length
    },
    get turns() {
      return turns.length
    },
  }
  return clock
}
