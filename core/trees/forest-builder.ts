import { badModel } from './bad-model.ts'
import { floatKey, LEAF_KEY } from './float-key.ts'
import { GrowingDoubles, GrowingWords } from './growing.ts'
import { lowerTest, SWAPPED } from './lower-test.ts'
import {
  type Forest,
  type Link,
  MISSING_RIGHT,
  NODE_WORDS,
  TEST_LESS,
  TEST_SHIFT,
  type TreeNode,
  type TreeSource,
  type TreeTask,
} from './types.ts'

/** Columns a forest may have; more would make a row's result larger than any use of it. */
export const MAX_FOREST_OUTPUTS = 65_536
/** Words of a forest's nodes, or of its categories: 1 GiB, and what a 32-bit offset can count. */
export const MAX_FOREST_WORDS: number = 2 ** 28
/** How much longer than the mean the longest way may be for all rows to go as many steps: four at a time are that much faster. */
const MAX_DETOUR = 2

export interface ForestShape {
  readonly task: TreeTask
  readonly features: number
  readonly outputs: number
  readonly link: Link
  /** One for each output. */
  readonly base: ArrayLike<number>
  readonly baseFirst: boolean
  readonly single: boolean
  /** Outputs are means of their trees, not sums. */
  readonly average: boolean
}

/** Puts the trees of a model file, one after another, into the form in which they are evaluated. */
export class ForestBuilder {
  readonly #shape: ForestShape
  readonly #nodes = new GrowingWords(1024)
  readonly #sets = new GrowingWords(16)
  readonly #values = new GrowingDoubles(256)
  readonly #roots: number[] = []
  readonly #rounds: number[] = []
  readonly #columns: number[] = []
  /** Nodes of the tree at hand that wait: index in the file, offset here, depth. */
  readonly #waiting: number[] = []
  readonly #node: TreeNode = emptyNode()
  #plain = true
  #vectors = false
  #visits = 0
  /** Of the tree at hand. */
  #leaves = 0
  #depths = 0
  #deepest = 0

  /** Throws where the shape is impossible. */
  constructor(shape: ForestShape) {
    const { features, outputs, base } = shape
    if (!(features >= 1 && Number.isSafeInteger(features))) {
      throw badModel(`a model of ${features} features`)
    }
    if (!(outputs >= 1 && outputs <= MAX_FOREST_OUTPUTS && Number.isSafeInteger(outputs))) {
      throw badModel(`${outputs} outputs, of which 1 to ${MAX_FOREST_OUTPUTS} are possible`)
    }
    if (base.length !== outputs) {
      throw badModel(`${base.length} base scores for ${outputs} outputs`)
    }
    this.#shape = shape
  }

  /** Adds a tree for output `column`, or -1: its leaves have vectors. Throws where it is no tree. */
  add(tree: TreeSource, column: number): void {
    const number = this.#roots.length
    const { outputs } = this.#shape
    if (!(Number.isInteger(column) && column >= -1 && column < outputs)) {
      throw badModel(`tree ${number} is for output ${column} of ${outputs}`)
    }
    if (column < 0) this.#vectors = true
    try {
      this.#lower(tree, column)
    } catch (error) {
      throw badModel(`tree ${number}: ${error instanceof Error ? error.message : String(error)}`)
    }
    this.#columns.push(column)
  }

  build(): Forest {
    const { task, features, outputs, link, base, baseFirst, single } = this.#shape
    const nodes = this.#nodes.words()
    if (this.#plain) thresholdsToKeys(nodes)
    const sets = this.#sets.words()
    return {
      task,
      features,
      outputs,
      link,
      trees: this.#roots.length,
      roots: Int32Array.from(this.#roots),
      rounds: Int32Array.from(this.#rounds),
      columns: Int32Array.from(this.#columns),
      nodes,
      thresholds: new Float32Array(nodes.buffer),
      values: this.#values.values(),
      sets: new Uint32Array(sets.buffer),
      plain: this.#plain,
      base: Float64Array.from(base),
      baseFirst,
      divisors: this.#shape.average ? this.#divisors() : new Float64Array(0),
      single,
      visits: this.#visits,
      vectors: this.#vectors,
    }
  }

  #divisors(): Float64Array {
    const divisors = new Float64Array(this.#shape.outputs)
    for (const column of this.#columns) {
      if (column >= 0) divisors[column] = (divisors[column] as number) + 1
      else for (let i = 0; i < divisors.length; i++) divisors[i] = (divisors[i] as number) + 1
    }
    // An output without a tree stays what it is.
    return divisors.map((trees) => Math.max(1, trees))
  }

  #lower(tree: TreeSource, column: number): void {
    if (tree.nodes < 1) throw badModel('no nodes')
    const seen = new Uint8Array(tree.nodes)
    const waiting = this.#waiting
    waiting.length = 0
    this.#leaves = 0
    this.#depths = 0
    this.#deepest = 0
    const root = this.#nodes.add(NODE_WORDS)
    waiting.push(0, root, 1)
    while (waiting.length > 0) {
      const depth = waiting.pop() as number
      const at = waiting.pop() as number
      const index = waiting.pop() as number
      // A node met twice would let the evaluation run in circles.
      if (seen[index] !== 0) throw badModel(`node ${index} is no child, or the child of two nodes`)
      seen[index] = 1
      const node = this.#node
      reset(node)
      tree.read(index, node)
      if (node.test === 'leaf') this.#leaf(node, at, column, depth)
      else this.#split(node, at, depth)
    }
    this.#roots.push(root)
    const visits = this.#depths / this.#leaves
    this.#visits += visits
    this.#rounds.push(this.#deepest <= visits * MAX_DETOUR ? this.#deepest - 1 : 0)
  }

  #leaf(node: TreeNode, at: number, column: number, depth: number): void {
    const { outputs, single } = this.#shape
    this.#nodes.set(at + 1, at)
    this.#nodes.set(at + 3, this.#values.length << TEST_SHIFT)
    this.#leaves++
    this.#depths += depth
    this.#deepest = Math.max(this.#deepest, depth)
    if (column >= 0) {
      this.#values.push(single ? Math.fround(node.value) : node.value)
      return
    }
    if (node.vector.length !== outputs) {
      throw badModel(`a leaf with ${node.vector.length} values for ${outputs} outputs`)
    }
    for (let i = 0; i < outputs; i++) this.#values.push(node.vector[i] as number)
    this.#bounded(this.#values.length)
  }

  #split(node: TreeNode, at: number, depth: number): void {
    const { features } = this.#shape
    if (!(Number.isInteger(node.feature) && node.feature >= 0 && node.feature < features)) {
      throw badModel(`a test of feature ${node.feature} of ${features}`)
    }
    const test = lowerTest(node, { nodes: this.#nodes, at, sets: this.#sets })
    this.#bounded(this.#sets.length)
    const swapped = (test & SWAPPED) !== 0
    const kind = test & ~SWAPPED
    if (kind !== TEST_LESS) this.#plain = false
    const missing = node.missingLeft === swapped ? MISSING_RIGHT : 0
    const children = this.#nodes.add(2 * NODE_WORDS)
    this.#bounded(children)
    this.#nodes.set(at, node.feature)
    this.#nodes.set(at + 1, children)
    this.#nodes.set(at + 3, (kind << TEST_SHIFT) | missing)
    const left = swapped ? node.right : node.left
    const right = swapped ? node.left : node.right
    this.#waiting.push(right, children + NODE_WORDS, depth + 1, left, children, depth + 1)
  }

  #bounded(words: number): void {
    if (words > MAX_FOREST_WORDS) throw badModel('more trees than fit into memory')
  }
}

/** Keys are compared faster than FP32 numbers are. */
function thresholdsToKeys(nodes: Int32Array): void {
  for (let at = 0; at < nodes.length; at += NODE_WORDS) {
    const leaf = nodes[at + 1] === at
    nodes[at + 2] = leaf ? LEAF_KEY : floatKey(nodes[at + 2] as number)
  }
}

function emptyNode(): TreeNode {
  return {
    test: 'leaf',
    feature: 0,
    threshold: 0,
    left: 0,
    right: 0,
    missingLeft: false,
    zeroMissing: false,
    truncate: false,
    categories: new Uint32Array(0),
    value: 0,
    vector: [],
  }
}

function reset(node: TreeNode): void {
  node.test = 'leaf'
  node.missingLeft = false
  node.zeroMissing = false
  node.truncate = false
}
