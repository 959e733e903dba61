import { describe, expect, it } from 'vitest'
import { BENCH_CASES } from './cases.ts'
import { median, ratio, table } from './report.ts'

const [first] = BENCH_CASES as [(typeof BENCH_CASES)[0]]

describe('the bench report', () => {
  it('compares medians, so that one slow round changes nothing', () => {
    const measured = { case: first, rates: { floor: [100, 1, 100], nereid: [90, 90, 9000] } }
    expect(ratio(measured, 'nereid')).toBeCloseTo(0.9)
    expect(median([1, 2, 3, 10])).toBe(2.5)
  })

  it('says which line misses its target', () => {
    const line = (nereid: number) =>
      table([{ case: first, rates: { floor: [100], nereid: [nereid] } }], []).split('\n')[1]
    expect(line(95)).toMatch(/0\.95 .* 0\.88 +ok$/)
    expect(line(50)).toMatch(/0\.50 .* 0\.88 +below$/)
  })

  it('shows a contender that was left out as a dash', () => {
    expect(table([{ case: first, rates: { floor: [100], nereid: [100] } }], [])).toMatch(/ - /)
  })
})
