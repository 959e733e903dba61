import { badModel } from './bad-model.ts'
import { above32, ceil32 } from './float-step.ts'
import type { GrowingWords } from './growing.ts'
import {
  TEST_EQUAL,
  TEST_LESS,
  TEST_LESS_ZERO,
  TEST_SET,
  TEST_SET_TRUNCATED,
  type TreeNode,
} from './types.ts'

/** Bit of {@link lowerTest}'s answer: what passes the test of the file fails the one that was written. */
export const SWAPPED = 64

export interface LowerTarget {
  readonly nodes: GrowingWords
  readonly at: number
  readonly sets: GrowingWords
}

/**
 * Writes the third word of a node and says which test it is, as `TEST_*` and perhaps {@link SWAPPED}. Every comparison becomes
 * `<` with an FP32 threshold, which says the same of every FP32 value.
 */
export function lowerTest(node: TreeNode, { nodes, at, sets }: LowerTarget): number {
  const { test, threshold } = node
  if (test === 'in') {
    const { categories } = node
    const start = sets.add(categories.length + 1)
    sets.set(start, categories.length)
    for (let i = 0; i < categories.length; i++) sets.set(start + 1 + i, categories[i] as number)
    nodes.set(at + 2, start)
    return node.truncate ? TEST_SET_TRUNCATED : TEST_SET
  }
  if (Number.isNaN(threshold)) throw badModel('a threshold that is no number')
  const swapped = test === '>' || test === '>=' ? SWAPPED : 0
  if (test === '==') {
    const near = Math.fround(threshold)
    nodes.setFloat(at + 2, near === threshold ? near : Number.NaN)
    return TEST_EQUAL
  }
  const less = node.zeroMissing ? TEST_LESS_ZERO : TEST_LESS
  if (test === '<' || test === '>=') nodes.setFloat(at + 2, ceil32(threshold))
  else if (threshold === Number.POSITIVE_INFINITY) {
    // Nothing is below minus infinity: the other way round, everything passes.
    nodes.setFloat(at + 2, Number.NEGATIVE_INFINITY)
    return less | (swapped ^ SWAPPED)
  } else nodes.setFloat(at + 2, above32(threshold))
  return less | swapped
}
