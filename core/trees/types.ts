/** What a forest was trained for: decides whether its output can be read as classes. */
export type TreeTask = 'binary' | 'multiclass' | 'regression' | 'ranking' | 'isolation'

/** What turns a row's sums into what the library's own `predict` says. */
export type LinkName =
  | 'identity'
  | 'sigmoid'
  | 'softmax'
  | 'ova'
  | 'exponential'
  | 'hinge'
  | 'log1p_exp'
  | 'signed_square'
  | 'standard_ratio'

export interface Link {
  readonly name: LinkName
  /** Slope of `sigmoid` and `ova`, divisor of `standard_ratio`; 1 elsewhere. */
  readonly scale: number
}

/** How a node decides. `in` = the value is one of the node's categories; `leaf` decides nothing. */
export type NodeTest = 'leaf' | '<' | '<=' | '>' | '>=' | '==' | 'in'

/** One node as a model file has it. A reader fills the same object again for each node. */
export interface TreeNode {
  test: NodeTest
  feature: number
  threshold: number
  /** Where a value goes that passes the test, and one that does not: indices within the tree. */
  left: number
  right: number
  /** Where a missing value (NaN) goes. */
  missingLeft: boolean
  /** LightGBM: zero counts as missing. */
  zeroMissing: boolean
  /** LightGBM: categories are cut to whole numbers toward zero before their sign is looked at. */
  truncate: boolean
  /** Bit c of word c / 32 is set where category c passes. */
  categories: Uint32Array
  /** A leaf's value; not used where it has a vector. */
  value: number
  /** A leaf's values for all outputs; empty = it has one. */
  vector: ArrayLike<number>
}

/** One tree of a model file; node 0 is its root. */
export interface TreeSource {
  readonly nodes: number
  /** Throws ServerError where the file says something impossible of it. */
  read(index: number, node: TreeNode): void
}

/**
 * Trees ready to be evaluated. `nodes` has {@link NODE_WORDS} words for each node: feature, offset of the left child (its sibling
 * follows), threshold or place in `sets`, and what `TEST_*` and {@link MISSING_RIGHT} say. A leaf is its own left child, and
 * its fourth word has its place in `values` instead of a test. In a plain forest thresholds are keys (see `floatKey`), else
 * FP32 numbers.
 */
export interface Forest {
  readonly task: TreeTask
  readonly features: number
  /** Columns of a row's result. */
  readonly outputs: number
  readonly link: Link
  readonly trees: number
  /** Offset of each tree's root in `nodes`. */
  readonly roots: Int32Array
  /** Steps that bring every row to a leaf of the tree, where that is worth taking them all; else 0. */
  readonly rounds: Int32Array
  /** The output that each tree adds to; -1 = its leaves have a value for each. */
  readonly columns: Int32Array
  readonly nodes: Int32Array
  /** The same memory as `nodes`, for forests that are not plain. */
  readonly thresholds: Float32Array
  readonly values: Float64Array
  /** Categories: a number of words, then as many words of bits. */
  readonly sets: Uint32Array
  /** Every test is a comparison with `<`. */
  readonly plain: boolean
  /** Added to each output. */
  readonly base: Float64Array
  /** Whether `base` is what the sums begin with: in what order a library adds decides about its last bits. */
  readonly baseFirst: boolean
  /** How many trees share each output, where their mean is asked for; else empty. */
  readonly divisors: Float64Array
  /** Sums are rounded to FP32 after each tree, as libraries do that add in FP32. */
  readonly single: boolean
  /** Nodes that a row meets on average, all trees together: what a row costs. */
  readonly visits: number
  /** Some leaf has a vector. */
  readonly vectors: boolean
}

export const NODE_WORDS = 4
/** Bit of a node's fourth word that is also the way from the left child to the right one. */
export const MISSING_RIGHT = 4
/** The test, or a leaf's place, stands above that bit. */
export const TEST_SHIFT = 3
export const TEST_LESS = 0
/** In a set; what is negative is in none. */
export const TEST_SET = 1
/** In a set, cut toward zero first. */
export const TEST_SET_TRUNCATED = 2
/** `<`, with zero as a missing value. */
export const TEST_LESS_ZERO = 3
export const TEST_EQUAL = 4
