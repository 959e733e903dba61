import { performance } from 'node:perf_hooks'
import type { Clock } from '../../core/platform.ts'

/**
 * A timer of Node has a granularity of 1 ms and comes up to 1 ms late. The last stretch of a short delay is therefore
 * waited out turn by turn of the event loop, which stays responsive meanwhile.
 */
export const SPIN_NS = 2_000_000
/** Delays from here on take a plain timer: a millisecond more does not matter to them. */
export const COARSE_NS = 20_000_000
/** The longest delay one timer of Node can take (2^31 - 1 ms). */
const MAX_TIMER_MS = 2_147_483_647

interface Deadline {
  readonly atNs: number
  readonly run: () => void
  live: boolean
}

/**
 * `performance.now()` as nanoseconds. `after` never calls early; a delay below 20 ms is met within some tens of
 * microseconds on an idle loop, longer ones within 2 ms.
 */
export function nodeClock(): Clock {
  const near: Deadline[] = []
  let spinning = false

  const now = (): number => performance.now() * 1e6

  function spin(): void {
    const at = now()
    let kept = 0
    const due: Deadline[] = []
    for (const deadline of near) {
      if (!deadline.live) continue
      if (deadline.atNs <= at) due.push(deadline)
      else near[kept++] = deadline
    }
    near.length = kept
    spinning = kept > 0
    if (spinning) setImmediate(spin)
    due.sort((a, b) => a.atNs - b.atNs)
    for (const deadline of due) {
      if (!deadline.live) continue
      deadline.live = false
      deadline.run()
    }
  }

  function waitOut(deadline: Deadline): void {
    near.push(deadline)
    if (spinning) return
    spinning = true
    setImmediate(spin)
  }

  function after(delayNs: number, run: () => void): () => void {
    const deadline: Deadline = { atNs: now() + delayNs, run, live: true }
    let timer: NodeJS.Timeout | undefined
    const approach = (): void => {
      const left = deadline.atNs - now()
      if (left <= SPIN_NS) {
        waitOut(deadline)
        return
      }
      const ms = left >= COARSE_NS ? Math.ceil(left / 1e6) : Math.floor((left - SPIN_NS) / 1e6) + 1
      timer = setTimeout(approach, Math.min(ms, MAX_TIMER_MS))
    }
    approach()
    return () => {
      deadline.live = false
      clearTimeout(timer)
    }
  }

  return {
    now,
    epochMs: () => Date.now(),
    after,
    nextTurn: (run) => {
      setImmediate(run)
    },
  }
}
