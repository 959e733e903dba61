import { describe, expect, test } from 'vitest'
import {
  INLINE_MAX_NS,
  Pace,
  RUNS_BEFORE_TRIAL,
  RUNS_BETWEEN_TRIALS,
  TRIAL_MAX_NS,
} from '../../../adapters/backends/onnx-pace.ts'

const times = (count: number, run: () => void): void => {
  for (let i = 0; i < count; i++) run()
}

/** A pace after its first asynchronous runs, which took `ns`. */
function warm(ns: number): Pace {
  const pace = new Pace('auto')
  times(RUNS_BEFORE_TRIAL, () => pace.ranAsync(ns))
  return pace
}

describe('where runs happen', () => {
  test('a new model runs asynchronously until enough runs were seen', () => {
    const pace = new Pace('auto')
    times(RUNS_BEFORE_TRIAL, () => {
      expect(pace.inline()).toBe(false)
      pace.ranAsync(30_000)
    })
    expect(pace.inline()).toBe(true)
  })

  test('a short model stays inline, one preemption notwithstanding', () => {
    const pace = warm(30_000)
    times(100, () => pace.ranInline(2_500))
    pace.ranInline(50_000_000)
    expect(pace.inline()).toBe(true)
  })

  test('a model that becomes slow leaves the event loop and is tried again later', () => {
    const pace = warm(30_000)
    times(100, () => pace.ranInline(2_500))
    times(8, () => pace.ranInline(1_000_000))
    expect(pace.inline()).toBe(false)
    times(RUNS_BETWEEN_TRIALS, () => pace.ranAsync(30_000))
    expect(pace.inline()).toBe(true)
  })

  test('a trial that takes longer than the limit is not repeated at once', () => {
    const pace = warm(TRIAL_MAX_NS)
    expect(pace.inline()).toBe(true)
    pace.ranInline(INLINE_MAX_NS + 1)
    expect(pace.inline()).toBe(false)
  })

  test('trials that are too long become rare', () => {
    const pace = warm(30_000)
    const pauses: number[] = []
    for (let trial = 0; trial < 10; trial++) {
      expect(pace.inline()).toBe(true)
      pace.ranInline(INLINE_MAX_NS + 1)
      let runs = 0
      for (; !pace.inline(); runs++) pace.ranAsync(30_000)
      pauses.push(runs)
    }
    expect(pauses).toEqual([16, 32, 64, 128, 256, 512, 512, 512, 512, 512])
  })

  test('a model that is long for certain is never tried', () => {
    const pace = warm(TRIAL_MAX_NS + 1)
    times(RUNS_BETWEEN_TRIALS * 2, () => pace.ranAsync(TRIAL_MAX_NS + 1))
    expect(pace.inline()).toBe(false)
  })

  test('never and always are what they say', () => {
    expect(new Pace('always').inline()).toBe(true)
    const never = new Pace('never')
    times(100, () => never.ranAsync(1))
    expect(never.inline()).toBe(false)
  })
})
