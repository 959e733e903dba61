import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ServerError } from '../../../core/errors.ts'
import { readForest } from '../../../core/trees/read-forest.ts'
import { FIXTURES, predict, type TreeCase, treeCases } from './cases.ts'

/** Of each format and kind of tree; the smallest, so that many can be had. */
const NAMES = [
  'xgb-depth',
  'xgb-multi',
  'xgb-onehot',
  'lgb-categories',
  'lgb-zero',
  'tl-targets',
  'tl-xgb-categories',
]
const RUNS = Number(process.env['NEREID_FUZZ_RUNS'] ?? 700)

describe('a file with some bytes changed is read, or refused for a reason', () => {
  const cases = treeCases(FIXTURES).filter(({ name }) => NAMES.includes(name))

  test.each(cases.map((one) => [one.name, one] as const))(
    '%s',
    (_name, one) => {
      let read = 0
      fc.assert(
        fc.property(changes(one.bytes.length), (edits) => {
          const bytes = one.bytes.slice(0, one.bytes.length - edits.cut)
          for (const [at, value] of edits.bytes) if (at < bytes.length) bytes[at] = value
          if (survives(one, bytes)) read++
        }),
        { numRuns: RUNS, endOnFailure: true },
      )
      // Otherwise nothing but the first bytes was looked at.
      expect(read).toBeGreaterThan(RUNS / 100)
    },
    600_000,
  )
})

const changes = (length: number) =>
  fc.record({
    cut: fc.oneof(
      { weight: 9, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.nat(length) },
    ),
    bytes: fc.array(
      fc.tuple(
        fc.nat(length - 1),
        fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0x2d, 0x39)),
      ),
      { minLength: 1, maxLength: 4 },
    ),
  })

/** False where it was refused. What was read must also be evaluated, to numbers. */
function survives(one: TreeCase, bytes: Uint8Array): boolean {
  try {
    const forest = readForest(one.format, bytes)
    const rows = Math.min(5, Math.floor(one.input.length / forest.features))
    expect(predict(forest, one.input, rows).length).toBe(rows)
    return true
  } catch (error) {
    if (!(error instanceof ServerError)) throw error
    expect(error.message).not.toBe('')
    return false
  }
}
