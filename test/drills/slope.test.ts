import { describe, expect, test } from 'vitest'
import { randomFrom } from './random.ts'
import { type Point, slopeAfter } from './slope.ts'

const points = (y: (x: number) => number): Point[] =>
  Array.from({ length: 60 }, (_, x) => ({ x, y: y(x) }))

describe('the slope of memory', () => {
  test('is the leak, whatever collections that come late put on top of it', () => {
    const random = randomFrom(7)
    const leaking = points((x) => 100 + 0.5 * x + (random() < 0.2 ? 40 : 0))
    expect(slopeAfter(0, leaking)).toBeCloseTo(0.5, 1)
  })

  test('does not count the warm-up', () => {
    expect(
      slopeAfter(
        20,
        points((x) => Math.min(x, 20)),
      ),
    ).toBe(0)
  })

  test('of too few points is no number, which keeps no promise', () => {
    expect(slopeAfter(0, [{ x: 1, y: 1 }])).toBeNaN()
  })
})
