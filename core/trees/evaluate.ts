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
  /** One for each row: where in the tree at hand it has come. */
  readonly leaves: Int32Array
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
  for (let tree = from; tree < to; tree++) {
    findLeaves(forest, block, tree)
    addLeaves(forest, block, forest.columns[tree] as number)
  }
}

function findLeaves(forest: Forest, block: RowBlock, tree: number): void {
  const { plain, features } = forest
  const { input, rows, leaves } = block
  const root = forest.roots[tree] as number
  const rounds = forest.rounds[tree] as number
  const quads = plain && rounds !== 0 ? rows & ~3 : 0
  if (quads > 0) quadLeaves(forest, block, { root, rounds, rows: quads })
  for (let row = quads, at = block.at + quads * features; row < rows; row++, at += features) {
    leaves[row] = plain ? plainLeaf(forest, input, at, root) : anyLeaf(forest, input, at, root)
  }
}

/** Adds the values of the leaves that were found, rounding as the library does. */
function addLeaves(forest: Forest, { rows, sums, leaves }: RowBlock, column: number): void {
  const { values, outputs, single, nodes } = forest
  for (let row = 0; row < rows; row++) {
    const leaf = (nodes[(leaves[row] as number) + 3] as number) >>> TEST_SHIFT
    if (column < 0) addVector(forest, sums, row * outputs, leaf)
    else {
      const sum = (sums[row * outputs + column] as number) + (values[leaf] as number)
      sums[row * outputs + column] = single ? Math.fround(sum) : sum
    }
  }
}

function addVector(
  { values, outputs, single }: Forest,
  sums: Float64Array,
  to: number,
  leaf: number,
): void {
  for (let i = 0; i < outputs; i++) {
    const sum = (sums[to + i] as number) + (values[leaf + i] as number)
    sums[to + i] = single ? Math.fround(sum) : sum
  }
}

interface Quads {
  readonly root: number
  readonly rounds: number
  /** A multiple of four. */
  readonly rows: number
}

/**
 * Leads rows through one tree, four side by side and without a branch: a processor works on all four at once and has nothing to
 * guess.
 */
function quadLeaves(forest: Forest, block: RowBlock, { root, rounds, rows }: Quads): void {
  const { nodes, thresholds, features } = forest
  const { input, leaves } = block
  let p = block.at
  for (let row = 0; row < rows; row += 4) {
    const q = p + features
    const r = q + features
    const s = r + features
    let a = root
    let b = root
    let c = root
    let d = root
    for (let i = 0; i < rounds; i++) {
      const x = input[p + (nodes[a] as number)] as number
      const y = input[q + (nodes[b] as number)] as number
      const z = input[r + (nodes[c] as number)] as number
      const w = input[s + (nodes[d] as number)] as number
      a = (nodes[a + 1] as number) + stepOf(x, thresholds[a + 2] as number, nodes[a + 3] as number)
      b = (nodes[b + 1] as number) + stepOf(y, thresholds[b + 2] as number, nodes[b + 3] as number)
      c = (nodes[c + 1] as number) + stepOf(z, thresholds[c + 2] as number, nodes[c + 3] as number)
      d = (nodes[d + 1] as number) + stepOf(w, thresholds[d + 2] as number, nodes[d + 3] as number)
    }
    leaves[row] = a
    leaves[row + 1] = b
    leaves[row + 2] = c
    leaves[row + 3] = d
    p = s + features
  }
}

/** From the left child to the one that is meant: 0 or {@link MISSING_RIGHT}. `+` makes a number of a comparison without a branch. */
function stepOf(value: number, threshold: number, flags: number): number {
  // biome-ignore lint/suspicious/noSelfCompare: only NaN differs from itself
  return (+(value >= threshold) << 2) | (flags & (+(value !== value) << 2))
}

/** Offset of the leaf that the row at `row` comes to, where all tests are `<`. */
function plainLeaf(forest: Forest, input: Float32Array, row: number, root: number): number {
  const { nodes, thresholds } = forest
  let at = root
  let next = nodes[at + 1] as number
  while (next !== at) {
    const value = input[row + (nodes[at] as number)] as number
    const threshold = thresholds[at + 2] as number
    // NaN is neither.
    if (value < threshold) at = next
    else if (value >= threshold) at = next + MISSING_RIGHT
    else at = next + (nodes[at + 3] as number)
    next = nodes[at + 1] as number
  }
  return at
}

/** The same for every kind of test. */
function anyLeaf(forest: Forest, input: Float32Array, row: number, root: number): number {
  const { nodes, thresholds } = forest
  let at = root
  let next = nodes[at + 1] as number
  while (next !== at) {
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
