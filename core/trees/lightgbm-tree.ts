import { badModel } from './bad-model.ts'
import { type Section, whole } from './lightgbm-section.ts'
import type { TreeNode, TreeSource } from './types.ts'

const CATEGORICAL = 1
const DEFAULT_LEFT = 2
/** Where the kind of missing values stands in a node's decision type. */
const MISSING_SHIFT = 2
const MISSING_ZERO = 1
const MISSING_NAN = 2

/** One tree of LightGBM's text. Its inner nodes come first here, then its leaves, which the file counts as -1, -2, … */
export class LightgbmTree implements TreeSource {
  readonly nodes: number
  readonly #splits: number
  readonly #leaves: Float64Array
  readonly #features: Float64Array
  readonly #thresholds: Float64Array
  readonly #decisions: Float64Array
  readonly #left: Float64Array
  readonly #right: Float64Array
  /** Where each set of categories begins in `sets`. */
  readonly #bounds: Float64Array
  readonly #sets: Uint32Array

  constructor(tree: Section) {
    if (tree.get('is_linear') === '1') {
      throw badModel('linear trees (linear_tree=true) are not supported')
    }
    const leaves = whole(tree, 'num_leaves')
    if (leaves < 1) throw badModel('no leaves')
    const splits = leaves - 1
    this.#splits = splits
    this.nodes = leaves + splits
    this.#leaves = numbers(tree, 'leaf_value', leaves)
    this.#features = numbers(tree, 'split_feature', splits)
    this.#thresholds = numbers(tree, 'threshold', splits)
    this.#decisions = tree.has('decision_type')
      ? numbers(tree, 'decision_type', splits)
      : new Float64Array(splits)
    this.#left = numbers(tree, 'left_child', splits)
    this.#right = numbers(tree, 'right_child', splits)
    const categorical = tree.has('num_cat') ? whole(tree, 'num_cat') : 0
    const some = categorical > 0
    this.#bounds = some ? numbers(tree, 'cat_boundaries', categorical + 1) : new Float64Array(0)
    this.#sets = some ? Uint32Array.from(numbers(tree, 'cat_threshold', -1)) : new Uint32Array(0)
  }

  read(index: number, node: TreeNode): void {
    if (index >= this.#splits) {
      node.value = this.#leaves[index - this.#splits] as number
      return
    }
    const decision = this.#decisions[index] as number
    const threshold = this.#thresholds[index] as number
    node.feature = this.#features[index] as number
    node.left = this.#child(this.#left[index] as number)
    node.right = this.#child(this.#right[index] as number)
    if ((decision & CATEGORICAL) !== 0) {
      // Missing values are in no set, and go right.
      node.test = 'in'
      node.truncate = true
      node.categories = this.#categories(threshold)
      return
    }
    node.test = '<='
    node.threshold = threshold
    const missing = (decision >> MISSING_SHIFT) & 3
    node.zeroMissing = missing === MISSING_ZERO
    const hasWay = missing === MISSING_ZERO || missing === MISSING_NAN
    // Where nothing was missing in training, NaN counts as zero.
    node.missingLeft = hasWay ? (decision & DEFAULT_LEFT) !== 0 : threshold >= 0
  }

  #child(child: number): number {
    return child < 0 ? this.#splits + ~child : child
  }

  #categories(set: number): Uint32Array {
    const start = this.#bounds[set]
    const end = this.#bounds[set + 1]
    const { length } = this.#sets
    if (
      start === undefined ||
      end === undefined ||
      !(start >= 0 && start <= end && end <= length)
    ) {
      throw badModel(`categories number ${set} are not in the file`)
    }
    return this.#sets.subarray(start, end)
  }
}

/** The numbers at `key`; `count` -1 = as many as there are. */
function numbers(tree: Section, key: string, count: number): Float64Array {
  const text = tree.get(key)?.trim() ?? ''
  const words = text === '' ? [] : text.split(' ')
  if (count >= 0 && words.length !== count) {
    throw badModel(`'${key}' has ${words.length} elements instead of ${count}`)
  }
  const list = new Float64Array(words.length)
  for (let i = 0; i < list.length; i++) list[i] = number(words[i] as string, key)
  return list
}

function number(word: string, key: string): number {
  const value = Number(word)
  if (!Number.isNaN(value) && word !== '') return value
  if (/^[+-]?inf(inity)?$/i.test(word)) {
    return word.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }
  throw badModel(`'${word.slice(0, 40)}' in '${key}' is no number`)
}
