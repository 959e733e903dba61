import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { readForest } from '../../../core/trees/read-forest.ts'
import { difference, FIXTURES, predict, type TreeCase, treeCases } from './cases.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** What issue and libraries agree on; they round to FP32 at the end, we do not. */
const TOLERANCE = 1e-5

const apart = ({ format, bytes, input, rows, expected }: TreeCase): number =>
  difference(predict(readForest(format, bytes), input, rows), expected)

describe('a few trees say what their library says', () => {
  test.each(treeCases(FIXTURES).map((one) => [one.name, one] as const))('%s', (_name, one) => {
    expect(apart(one)).toBeLessThan(TOLERANCE)
  })
})

const python = ['ml']
  .map((name) => join(ROOT, '.cache/python', name, 'bin/python'))
  .find((path) => existsSync(path) && canImport(path))
if (python === undefined) {
  console.info('skipped: no .cache/python/ml with xgboost, lightgbm, treelite and scikit-learn')
}

describe.skipIf(python === undefined)(
  'forests as large as real ones say what their library says',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'trees-'))
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    test('of every kind, with holes, unknown categories and a thousand trees', () => {
      const script = join(ROOT, 'test/core/trees/train.py')
      execFileSync(python as string, [script, 'large', folder], { stdio: 'pipe' })
      const cases = treeCases(folder)
      expect(cases.length).toBe(treeCases(FIXTURES).length)
      const wrong = cases
        .map((one) => [one.name, apart(one)] as const)
        .filter(([, by]) => by >= TOLERANCE)
      expect(wrong).toEqual([])
    }, 240_000)
  },
)

function canImport(path: string): boolean {
  try {
    execFileSync(path, ['-c', 'import xgboost, lightgbm, treelite, sklearn'], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}
