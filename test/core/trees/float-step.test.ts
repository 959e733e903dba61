import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { above32, ceil32 } from '../../../core/trees/float-step.ts'

const value = fc.float({ noNaN: true })
/** Doubles beside FP32 numbers are the ones that rounding could get wrong. */
const threshold = fc.oneof(
  fc.double({ noNaN: true }),
  fc.tuple(value, fc.constantFrom(1 - 1e-12, 1, 1 + 1e-12)).map(([x, by]) => x * by),
)

describe('a double threshold as FP32', () => {
  test('`<` says the same of every FP32 number', () => {
    fc.assert(
      fc.property(value, threshold, (x, t) => {
        expect(x < ceil32(t)).toBe(x < t)
      }),
      { numRuns: 20_000, seed: 7 },
    )
  })

  test('`<=` becomes `<`, and says the same of every FP32 number', () => {
    const finite = threshold.filter((t) => t !== Number.POSITIVE_INFINITY)
    fc.assert(
      fc.property(value, finite, (x, t) => {
        expect(x < above32(t)).toBe(x <= t)
      }),
      { numRuns: 20_000, seed: 7 },
    )
  })

  test('also of the number itself, the next ones, zero and the ends', () => {
    for (const t of [
      0,
      -0,
      1,
      -1,
      2 ** -149,
      -(2 ** -149),
      1.0000000180025095e-35,
      1e300,
      -1e300,
      3.4028234663852886e38,
    ]) {
      const near = Math.fround(t)
      const next = above32(near)
      for (const x of [near, next, -near, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0]) {
        expect([t, x, x < above32(t)]).toEqual([t, x, x <= t])
        expect([t, x, x < ceil32(t)]).toEqual([t, x, x < t])
      }
    }
  })
})
