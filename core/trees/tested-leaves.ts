import type { RowBlock } from './row-block.ts'
import {
  type Forest,
  MISSING_RIGHT,
  TEST_EQUAL,
  TEST_LESS,
  TEST_LESS_ZERO,
  TEST_SET,
  TEST_SHIFT,
} from './types.ts'

/** What LightGBM takes for zero. */
const ZERO_LIMIT = Math.fround(1e-35)
/** From here on FP32 numbers have gaps, and no category is meant. */
const CATEGORY_LIMIT = 2 ** 24

/** Finds each row's leaf in one tree of a forest with all kinds of tests. */
export function testedLeaves(forest: Forest, block: RowBlock, tree: number): void {
  const root = forest.roots[tree] as number
  for (let row = 0; row < block.rows; row++) {
    block.leaves[row] = leafOf(forest, block.values, row * forest.features, root)
  }
}

function leafOf(forest: Forest, values: Float32Array, row: number, root: number): number {
  const { nodes, thresholds } = forest
  let at = root
  let next = nodes[at + 1] as number
  while (next !== at) {
    const value = values[row + (nodes[at] as number)] as number
    const flags = nodes[at + 3] as number
    const test = flags >> TEST_SHIFT
    if (isMissing(value, test)) at = next + (flags & MISSING_RIGHT)
    else if (test === TEST_LESS || test === TEST_LESS_ZERO) {
      at = value < (thresholds[at + 2] as number) ? next : next + MISSING_RIGHT
    } else at = passes(forest, at, value, test) ? next : next + MISSING_RIGHT
    next = nodes[at + 1] as number
  }
  return at
}

function isMissing(value: number, test: number): boolean {
  if (test === TEST_LESS_ZERO && value <= ZERO_LIMIT && value >= -ZERO_LIMIT) return true
  return Number.isNaN(value)
}

function passes(forest: Forest, at: number, value: number, test: number): boolean {
  if (test === TEST_EQUAL) return value === forest.thresholds[at + 2]
  if (test === TEST_SET ? value < 0 : value <= -1) return false
  return value < CATEGORY_LIMIT && isIn(forest, forest.nodes[at + 2] as number, value | 0)
}

function isIn({ sets }: Forest, set: number, category: number): boolean {
  const word = category >> 5
  if (word >= (sets[set] as number)) return false
  return (((sets[set + 1 + word] as number) >>> (category & 31)) & 1) !== 0
}
