import { expect, test } from 'vitest'
import { memoryLimit } from '../../../adapters/overload/memory-limit.ts'
import {
  type Monitor,
  type OverloadLimits,
  startMonitor,
  TICK_MS,
  TICKS_PER_MEMORY,
} from '../../../adapters/overload/monitor.ts'

const LIMITS: OverloadLimits = { lagMs: 250, closePercent: 95, refusePercent: 98 }

interface Watched {
  readonly monitor: Monitor
  readonly gate: { lagging: boolean; exhausted: boolean }
  readonly lines: string[]
  closing: boolean
  /** Percent of the limit that is resident. */
  resident: number
  ended: number
  /** So many ticks, each `lateMs` late. */
  ticks(count: number, lateMs?: number): void
}

function watch(limits: Partial<OverloadLimits> = {}): Watched {
  let now = 0
  let run = (): void => {}
  const lines: string[] = []
  const gate = { lagging: false, exhausted: false }
  const state = { closing: false, resident: 10, ended: 0 }
  const say = (level: string) => (text: string) => void lines.push(`${level} ${text}`)
  const monitor = startMonitor({
    limits: { ...LIMITS, ...limits },
    log: {
      error: say('error'),
      warning: say('warning'),
      info: say('info'),
      verbose: () => {},
    },
    gate,
    closeConnections: (close) => {
      state.closing = close
    },
    memoryLimit: 1000 * 2 ** 20,
    resident: () => state.resident * 10 * 2 ** 20,
    now: () => now,
    every: (ms, tick) => {
      expect(ms).toBe(TICK_MS)
      run = tick
      return () => {
        state.ended++
      }
    },
  })
  return Object.assign(state, {
    monitor,
    gate,
    lines,
    ticks(count: number, lateMs = 0) {
      for (let i = 0; i < count; i++) {
        now += TICK_MS + lateMs
        run()
      }
    },
  })
}

test('an event loop that is late for a second is shed for until it is in time again', () => {
  const watched = watch()
  watched.ticks(100)
  watched.ticks(4, 300)
  expect(watched.gate.lagging).toBe(true)
  // The median of a second: half of it has to be quiet first.
  watched.ticks(3)
  expect(watched.gate.lagging).toBe(true)
  watched.ticks(17)
  expect(watched.gate.lagging).toBe(false)
  expect(watched.lines).toEqual([
    'warning overload: the event loop is 300 ms late, inference is refused',
    'info overload: the event loop is in time again, inference is let in',
  ])
})

test('a lag between where shedding begins and where it ends changes nothing', () => {
  const watched = watch()
  watched.ticks(50, 249)
  expect(watched.gate.lagging).toBe(false)
  watched.ticks(5, 250)
  expect(watched.gate.lagging).toBe(true)
  watched.ticks(50, 125)
  expect(watched.gate.lagging).toBe(true)
  watched.ticks(50, 124)
  expect(watched.gate.lagging).toBe(false)
  expect(watched.lines).toHaveLength(2)
})

test('one long turn of the event loop is no overload, at the start neither', () => {
  for (const before of [0, 1, 100]) {
    const watched = watch()
    watched.ticks(before)
    watched.ticks(1, 5_000)
    watched.ticks(100)
    expect(watched.lines, `${before} ticks before`).toEqual([])
  }
})

test('memory that runs short closes connections, then everything, and each of it ends', () => {
  const watched = watch()
  const look = (resident: number): void => {
    watched.resident = resident
    watched.ticks(TICKS_PER_MEMORY)
  }
  look(94.9)
  expect(watched.closing).toBe(false)
  look(95)
  expect(watched).toMatchObject({ closing: true, gate: { exhausted: false } })
  look(98)
  expect(watched).toMatchObject({ closing: true, gate: { exhausted: true } })
  look(95)
  expect(watched).toMatchObject({ closing: true, gate: { exhausted: true } })
  look(94.9)
  expect(watched).toMatchObject({ closing: true, gate: { exhausted: false } })
  look(91.9)
  expect(watched).toMatchObject({ closing: false, gate: { exhausted: false } })
  look(91)
  expect(watched.lines).toEqual([
    'warning overload: resident memory is 95 % of 1000 MiB, connections are closed after their answers',
    'error overload: resident memory is 98 % of 1000 MiB, everything but probes is refused',
    'info overload: resident memory is 95 % of 1000 MiB, requests are let in',
    'info overload: resident memory is 92 % of 1000 MiB, connections are kept again',
  ])
})

test('what is switched off never happens', () => {
  const watched = watch({ lagMs: 0, closePercent: 0, refusePercent: 0 })
  watched.resident = 100
  watched.ticks(100, 1_000)
  expect(watched).toMatchObject({ closing: false, gate: { lagging: false, exhausted: false } })
  expect(watched.lines).toEqual([])
})

test('closing it ends the timer and lifts what is in force', () => {
  const watched = watch()
  watched.resident = 99
  watched.ticks(20, 500)
  expect(watched).toMatchObject({ closing: true, gate: { lagging: true, exhausted: true } })
  watched.monitor.close()
  expect(watched).toMatchObject({ closing: false, gate: { lagging: false, exhausted: false } })
  expect(watched.ended).toBe(1)
})

test('the memory there is: the limit of the control group, where it is one', () => {
  const gib = 2 ** 30
  expect(memoryLimit(2 * gib, 8 * gib)).toBe(2 * gib)
  expect(memoryLimit(0, 8 * gib)).toBe(8 * gib)
  expect(memoryLimit(2 ** 64, 8 * gib)).toBe(8 * gib)
  expect(memoryLimit()).toBeGreaterThan(0)
})
