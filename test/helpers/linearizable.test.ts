import { expect, test } from 'vitest'
import { isLinearizable, type Operation } from './linearizable.ts'

const op = (start: number, end: number, before: boolean, after: boolean): Operation => ({
  start,
  end,
  before,
  after,
})

test('operations that overlap may have happened either way round', () => {
  expect(isLinearizable([op(0, 5, false, true), op(1, 2, false, false)], false)).toBe(true)
  expect(isLinearizable([op(0, 5, false, true), op(1, 2, true, true)], false)).toBe(true)
  expect(isLinearizable([op(0, 9, true, false), op(1, 2, false, true)], false)).toBe(true)
})

test('what was found must have been left, by somebody who had begun', () => {
  expect(isLinearizable([op(0, 1, false, true), op(2, 3, false, false)], false)).toBe(false)
  expect(isLinearizable([op(0, 1, true, true)], false)).toBe(false)
  expect(
    isLinearizable(
      [
        op(0, 1, false, true),
        op(2, 9, true, false),
        op(3, 4, true, true),
        op(5, 6, false, false),
        op(7, 8, true, true),
      ],
      false,
    ),
  ).toBe(false)
  expect(isLinearizable([op(0, 1, false, true), op(0, 1, false, true)], false)).toBe(false)
})
