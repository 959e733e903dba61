import { MISSING_KEY } from './float-key.ts'
import type { RowBlock } from './row-block.ts'
import { type Forest, MISSING_RIGHT } from './types.ts'

/** Finds each row's leaf in one tree of a plain forest. */
export function plainLeaves(forest: Forest, block: RowBlock, tree: number): void {
  const { features, nodes } = forest
  const { rows, leaves, keys } = block
  const root = forest.roots[tree] as number
  const rounds = forest.rounds[tree] as number
  const quads = rounds === 0 ? 0 : rows & ~3
  if (quads > 0) {
    const way = { root, rounds, rows: quads, features }
    if (block.missing) quadsWithMissing(nodes, block, way)
    else quadsWithoutMissing(nodes, block, way)
  }
  for (let row = quads; row < rows; row++) {
    leaves[row] = oneLeaf(nodes, keys, row * features, root)
  }
}

interface Way {
  readonly root: number
  /** Steps that bring every row to a leaf. */
  readonly rounds: number
  /** A multiple of four. */
  readonly rows: number
  readonly features: number
}

/**
 * Leads rows through one tree, four side by side and without a branch: a processor works on all four at once and has nothing to
 * guess. `+` makes a number of a comparison; the right child is 1 << 2 words from the left one.
 */
function quadsWithoutMissing(nodes: Int32Array, { keys, leaves }: RowBlock, way: Way): void {
  const { root, rounds, rows, features } = way
  for (let row = 0, p = 0; row < rows; row += 4, p += 4 * features) {
    const q = p + features
    const r = q + features
    const s = r + features
    let a = root
    let b = root
    let c = root
    let d = root
    for (let i = 0; i < rounds; i++) {
      const x = keys[p + (nodes[a] as number)] as number
      const y = keys[q + (nodes[b] as number)] as number
      const z = keys[r + (nodes[c] as number)] as number
      const w = keys[s + (nodes[d] as number)] as number
      a = (nodes[a + 1] as number) + (+(x >= (nodes[a + 2] as number)) << 2)
      b = (nodes[b + 1] as number) + (+(y >= (nodes[b + 2] as number)) << 2)
      c = (nodes[c + 1] as number) + (+(z >= (nodes[c + 2] as number)) << 2)
      d = (nodes[d + 1] as number) + (+(w >= (nodes[d + 2] as number)) << 2)
    }
    leaves[row] = a
    leaves[row + 1] = b
    leaves[row + 2] = c
    leaves[row + 3] = d
  }
}

/** The same where a value may be missing. */
function quadsWithMissing(nodes: Int32Array, { keys, leaves }: RowBlock, way: Way): void {
  const { root, rounds, rows, features } = way
  for (let row = 0, p = 0; row < rows; row += 4, p += 4 * features) {
    const q = p + features
    const r = q + features
    const s = r + features
    let a = root
    let b = root
    let c = root
    let d = root
    for (let i = 0; i < rounds; i++) {
      a = childOf(nodes, a, keys[p + (nodes[a] as number)] as number)
      b = childOf(nodes, b, keys[q + (nodes[b] as number)] as number)
      c = childOf(nodes, c, keys[r + (nodes[c] as number)] as number)
      d = childOf(nodes, d, keys[s + (nodes[d] as number)] as number)
    }
    leaves[row] = a
    leaves[row + 1] = b
    leaves[row + 2] = c
    leaves[row + 3] = d
  }
}

/** A missing value's key is above all thresholds but a leaf's; the node says whether it may go right. */
function childOf(nodes: Int32Array, at: number, key: number): number {
  const right = +(key >= (nodes[at + 2] as number)) << 2
  const allowed = (nodes[at + 3] as number) | -+(key !== MISSING_KEY)
  return (nodes[at + 1] as number) + (right & allowed)
}

/** One row by itself: branches let the processor run ahead of what it waits for. */
function oneLeaf(nodes: Int32Array, keys: Int32Array, row: number, root: number): number {
  let at = root
  let next = nodes[at + 1] as number
  while (next !== at) {
    const key = keys[row + (nodes[at] as number)] as number
    if (key < (nodes[at + 2] as number)) at = next
    else if (key !== MISSING_KEY) at = next + MISSING_RIGHT
    else at = next + (nodes[at + 3] as number)
    next = nodes[at + 1] as number
  }
  return at
}
