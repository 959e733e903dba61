import { ServerError } from '../errors.ts'
import { RETRY_AFTER_SECS } from '../overload/types.ts'
import type { Clock } from '../platform.ts'
import { createAlarm } from '../schedulers/alarm.ts'

/** Requests one step of an ensemble may have in flight where the config gives no `max_inflight_requests`. */
export const DEFAULT_MAX_INFLIGHT_REQUESTS = 256
/** How long a step waits for its turn before its request is answered UNAVAILABLE. Nanoseconds. */
export const MAX_STEP_WAIT_NS: number = 300 * 1e9

/** What waits at a gate. */
export interface GateWaiter {
  /** Its turn has come; the place it takes is given back with {@link StepGate.leave}. */
  admitted(): void
  /** It waited too long and is in the line no more. */
  refused(error: ServerError): void
}

/**
 * Bounds what one step has in flight over all requests of its ensemble, so that a fast step cannot pile up work in front of
 * a slow one. First come, first served.
 */
export interface StepGate {
  readonly waiting: number
  /** True when there is room: the caller goes on. Else it waits in line. */
  enter(waiter: GateWaiter): boolean
  leave(): void
  /** Gives up waiting; false when it is not in the line. */
  withdraw(waiter: GateWaiter): boolean
}

export function createStepGate(options: {
  readonly limit: number
  readonly clock: Clock
}): StepGate {
  const { limit, clock } = options
  /** Everyone in line and the time at which they give up, in order of arrival. */
  const line = new Map<GateWaiter, number>()
  let running = 0
  let admitting = false
  const alarm = createAlarm({
    clock,
    onRing() {
      const nowNs = clock.now()
      for (const [waiter, deadlineNs] of line) {
        if (deadlineNs > nowNs) break
        line.delete(waiter)
        waiter.refused(
          new ServerError(
            'UNAVAILABLE',
            `step did not start within ${MAX_STEP_WAIT_NS / 1e9} seconds, ${running} requests of it are in flight, the limit is ${limit}`,
            { retryAfterSecs: RETRY_AFTER_SECS },
          ),
        )
      }
      watch()
    },
  })
  const watch = (): void => {
    for (const deadlineNs of line.values()) {
      alarm.set(deadlineNs)
      return
    }
    alarm.set(0)
  }

  return {
    get waiting() {
      return line.size
    },
    enter(waiter) {
      if (running < limit) {
        running++
        return true
      }
      line.set(waiter, clock.now() + MAX_STEP_WAIT_NS)
      if (line.size === 1) watch()
      return false
    },
    leave() {
      running--
      // Whoever is let in may leave before `admitted` returns: one loop lets all in, however many that are.
      if (admitting || line.size === 0) return
      admitting = true
      for (const waiter of line.keys()) {
        if (running >= limit) break
        line.delete(waiter)
        running++
        waiter.admitted()
      }
      admitting = false
      watch()
    },
    withdraw(waiter) {
      const waited = line.delete(waiter)
      if (waited && line.size === 0) alarm.set(0)
      return waited
    },
  }
}
