import type { Log } from '../../core/platform.ts'
import { Action } from './action.ts'
import { LagWindow } from './lag-window.ts'

/** How often the monitor looks at the clock. */
export const TICK_MS = 50
/** The lag is the median over this time. */
export const LAG_SPAN_MS = 1_000
/** Resident memory is read with every so manieth tick: it is a system call. */
export const TICKS_PER_MEMORY = 10
/** Shedding ends when the lag is below this share of what it began with. */
const LAG_END = 0.5
/** What is done about memory ends when it is so many percent below where it began. */
const MEMORY_END_PERCENT = 3

/** What may happen on overload; 0 = never. */
export interface OverloadLimits {
  /** Milliseconds the event loop is late (`--overload-lag-ms`). Default 250. */
  readonly lagMs: number
  /** Resident memory in percent of the limit (`--overload-close-percent`). Default 95. */
  readonly closePercent: number
  /** The same (`--overload-refuse-percent`). Default 98. */
  readonly refusePercent: number
}

export interface MonitorOptions {
  readonly limits: OverloadLimits
  readonly log: Log
  readonly gate: { lagging: boolean; exhausted: boolean }
  /** Whether connections are to be closed after their answers. */
  readonly closeConnections: (close: boolean) => void
  /** Bytes. */
  readonly memoryLimit: number
  /** Bytes that are resident now. */
  readonly resident: () => number
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** Calls `run` every `ms`; returns how to end that. Must not keep the process alive. */
  readonly every: (ms: number, run: () => void) => () => void
}

export interface Monitor {
  /** Idempotent. Lifts what is in force. */
  close(): void
}

/** Watches how late the event loop is and how much memory is left, and sheds load while it is too much. */
export function startMonitor(options: MonitorOptions): Monitor {
  const { limits, log, gate, closeConnections, memoryLimit, now } = options
  const lag = new LagWindow(LAG_SPAN_MS)
  const mib = Math.round(memoryLimit / 2 ** 20)
  const memory = (percent: number): string =>
    `resident memory is ${Math.round(percent)} % of ${mib} MiB`

  const shedding = new Action({
    from: limits.lagMs,
    below: limits.lagMs * LAG_END,
    begin: (ms) => {
      gate.lagging = true
      log.warning(`overload: the event loop is ${Math.round(ms)} ms late, inference is refused`)
    },
    end: () => {
      gate.lagging = false
      log.info('overload: the event loop is in time again, inference is let in')
    },
  })
  const closing = new Action({
    from: limits.closePercent,
    below: limits.closePercent - MEMORY_END_PERCENT,
    begin: (percent) => {
      closeConnections(true)
      log.warning(`overload: ${memory(percent)}, connections are closed after their answers`)
    },
    end: (percent) => {
      closeConnections(false)
      log.info(`overload: ${memory(percent)}, connections are kept again`)
    },
  })
  const refusing = new Action({
    from: limits.refusePercent,
    below: limits.refusePercent - MEMORY_END_PERCENT,
    begin: (percent) => {
      gate.exhausted = true
      log.error(`overload: ${memory(percent)}, everything but probes is refused`)
    },
    end: (percent) => {
      gate.exhausted = false
      log.info(`overload: ${memory(percent)}, requests are let in`)
    },
  })

  const watchesMemory = limits.closePercent > 0 || limits.refusePercent > 0
  let last = now()
  let ticks = 0
  const stop = options.every(TICK_MS, () => {
    const at = now()
    lag.add(at, Math.max(0, at - last - TICK_MS))
    last = at
    shedding.update(lag.median)
    if (!watchesMemory || ++ticks % TICKS_PER_MEMORY !== 0) return
    const percent = (options.resident() / memoryLimit) * 100
    closing.update(percent)
    refusing.update(percent)
  })
  return {
    close() {
      stop()
      gate.lagging = false
      gate.exhausted = false
      closeConnections(false)
    },
  }
}
