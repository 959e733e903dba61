import {
  type Forest,
  MISSING_RIGHT,
  TEST_EQUAL,
  TEST_LESS,
  TEST_LESS_ZERO,
  TEST_SET,
  TEST_SHIFT,
} from './types.ts'

/** Rows that are led through a tree before the next tree's turn: the tree stays in the cache meanwhile. */
export const BLOCK_ROWS = 64
/** What LightGBM takes for zero. */
const ZERO_LIMIT = Math.fround(1e-35)
/** From here on FP32 numbers have gaps, and no category is meant. */
const CATEGORY_LIMIT = 2 ** 24

/** Rows that are evaluated together, at most {@link BLOCK_ROWS}. */
export interface RowBlock {
  /** Rows of `forest.features` values each, from `at`. */
  readonly input: Float32Array
  readonly at: number
  readonly rows: number
  /** A row of `forest.outputs` sums for each. */
  readonly sums: Float64Array
}

/** Sets the sums of a block to what they begin with. */
export function beginSums(forest: Forest, { rows, sums }: RowBlock): void {
  const { outputs, base, baseFirst } = forest
  for (let i = 0, size = rows * outputs; i < size; i++) {
    sums[i] = baseFirst ? (base[i % outputs] as number) : 0
  }
}

/** Adds what trees `from` to `to` (not included) say of each row. */
export function addTrees(forest: Forest, block: RowBlock, from: number, to: number): void {
  const { roots, columns, outputs, single, values } = forest
  const { input, rows, sums } = block
  const leafOf = forest.plain ? plainLeaf : anyLeaf
  for (let tree = from; tree < to; tree++) {
    const root = roots[tree] as number
    const column = columns[tree] as number
    let at = block.at
    for (let row = 0; row < rows; row++, at += forest.features) {
      const leaf = leafOf(forest, input, at, root)
      if (column < 0) addVector(forest, sums, row * outputs, leaf)
      else {
        const sum = (sums[row * outputs + column] as number) + (values[leaf] as number)
        sums[row * outputs + column] = single ? Math.fround(sum) : sum
      }
    }
  }
}

function addVector(forest: Forest, sums: Float64Array, to: number, leaf: number): void {
  const { values, outputs, single } = forest
  for (let i = 0; i < outputs; i++) {
    const sum = (sums[to + i] as number) + (values[leaf + i] as number)
    sums[to + i] = single ? Math.fround(sum) : sum
  }
}

/** Place in `values` of the leaf that the row at `row` comes to, where all tests are `<`. */
function plainLeaf(forest: Forest, input: Float32Array, row: number, root: number): number {
  const { nodes, thresholds } = forest
  let at = root
  let next = nodes[at + 1] as number
  while (next >= 0) {
    const value = input[row + (nodes[at] as number)] as number
    const threshold = thresholds[at + 2] as number
    // NaN is neither.
    if (value < threshold) at = next
    else if (value >= threshold) at = next + MISSING_RIGHT
    else at = next + (nodes[at + 3] as number)
    next = nodes[at + 1] as number
  }
  return ~next
}

/** The same for every kind of test. */
function anyLeaf(forest: Forest, input: Float32Array, row: number, root: number): number {
  const { nodes, thresholds } = forest
  let at = root
  let next = nodes[at + 1] as number
  while (next >= 0) {
    const value = input[row + (nodes[at] as number)] as number
    const flags = nodes[at + 3] as number
    const test = flags >> TEST_SHIFT
    const threshold = thresholds[at + 2] as number
    if (isMissing(value, test)) at = next + (flags & MISSING_RIGHT)
    else if (test === TEST_LESS || test === TEST_LESS_ZERO) {
      at = value < threshold ? next : next + MISSING_RIGHT
    } else at = passes(forest, at, value, test) ? next : next + MISSING_RIGHT
    next = nodes[at + 1] as number
  }
  return ~next
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
