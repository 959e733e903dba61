import type { Clock } from '../platform.ts'

/** One timer that can be moved. */
export interface Alarm {
  /** Rings once at `atNs`; 0 = never. Replaces what was set before. */
  set(atNs: number): void
}

/**
 * A timer that is set to ring too early is left alone and set again when it rings, so that moving the alarm further out,
 * which happens with every batch, costs no timer.
 */
export function createAlarm(options: {
  readonly clock: Clock
  readonly onRing: () => void
}): Alarm {
  const { clock } = options
  let wantedNs = 0
  let timerNs = 0
  let stop: (() => void) | null = null

  const start = (nowNs: number): void => {
    timerNs = wantedNs
    stop = clock.after(Math.max(0, wantedNs - nowNs), ring)
  }
  const ring = (): void => {
    stop = null
    if (wantedNs === 0) return
    const nowNs = clock.now()
    if (nowNs < wantedNs) {
      start(nowNs)
      return
    }
    wantedNs = 0
    options.onRing()
  }
  return {
    set(atNs) {
      wantedNs = atNs
      if (atNs === 0) {
        stop?.()
        stop = null
        return
      }
      if (stop !== null && timerNs <= atNs) return
      stop?.()
      start(clock.now())
    },
  }
}
