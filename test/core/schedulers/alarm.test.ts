import { expect, test } from 'vitest'
import { createAlarm } from '../../../core/schedulers/alarm.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'

test('an alarm rings at the time it was last set to, with one timer', () => {
  const clock = createFakeClock({ startNs: 0 })
  const rings: number[] = []
  const alarm = createAlarm({ clock, onRing: () => rings.push(clock.now()) })
  alarm.set(100)
  alarm.set(300)
  alarm.set(200)
  expect(clock.timers).toBe(1)
  clock.advance(1000)
  expect(rings).toEqual([200])
  alarm.set(1500)
  alarm.set(1200)
  clock.advance(1000)
  expect(rings).toEqual([200, 1200])
})

test('an alarm set to 0 never rings and leaves no timer', () => {
  const clock = createFakeClock({ startNs: 0 })
  const alarm = createAlarm({
    clock,
    onRing() {
      throw new Error('rang')
    },
  })
  alarm.set(100)
  alarm.set(0)
  expect(clock.timers).toBe(0)
  clock.advance(1000)
})

test('an alarm set to the past rings at once', () => {
  const clock = createFakeClock({ startNs: 500 })
  let rings = 0
  createAlarm({ clock, onRing: () => rings++ }).set(100)
  clock.advance(0)
  expect(rings).toBe(1)
})
