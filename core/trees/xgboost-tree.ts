import { badModel } from './bad-model.ts'
import { categoryBits } from './categories.ts'
import { type Fields, fieldsAt, needNumbers, numbersAt, wholeAt } from './document.ts'
import type { TreeNode, TreeSource } from './types.ts'

const CATEGORICAL = 1

/** One tree of XGBoost's JSON. */
export class XgboostTree implements TreeSource {
  readonly nodes: number
  readonly vectorSize: number
  readonly #left: Float64Array
  readonly #right: Float64Array
  readonly #features: Float64Array
  readonly #conditions: Float64Array
  readonly #defaultLeft: Float64Array
  readonly #types: Float64Array | null
  readonly #vectors: Float64Array | null
  /** XGBoost 3 lists vectors by leaf instead of by node. */
  readonly #vectorsByLeaf: boolean
  readonly #sets: CategorySets | null
  readonly #weight: number

  /** `weight` is what DART multiplies the leaves by. */
  constructor(tree: Fields, weight: number) {
    const param = fieldsAt(tree, 'tree_param')
    const nodes = wholeAt(param, 'num_nodes')
    this.nodes = nodes
    this.vectorSize = Math.max(1, wholeAt(param, 'size_leaf_vector', 1))
    this.#left = needNumbers(tree, 'left_children', nodes)
    this.#right = needNumbers(tree, 'right_children', nodes)
    this.#features = needNumbers(tree, 'split_indices', nodes)
    this.#conditions = needNumbers(tree, 'split_conditions', nodes)
    this.#defaultLeft = needNumbers(tree, 'default_left', nodes)
    this.#types = numbersAt(tree, 'split_type')
    this.#sets = this.#types?.includes(CATEGORICAL) ? new CategorySets(tree) : null
    const byLeaf = this.vectorSize > 1 ? numbersAt(tree, 'leaf_weights') : null
    this.#vectorsByLeaf = byLeaf !== null
    this.#vectors = this.vectorSize > 1 ? (byLeaf ?? needNumbers(tree, 'base_weights')) : null
    this.#weight = weight
  }

  read(index: number, node: TreeNode): void {
    const left = this.#left[index] as number
    if (left === -1) {
      this.#leaf(index, node)
      return
    }
    node.left = left
    node.right = this.#right[index] as number
    node.feature = this.#features[index] as number
    node.missingLeft = this.#defaultLeft[index] !== 0
    if (this.#sets !== null && this.#types?.[index] === CATEGORICAL) {
      // What is in the set goes right.
      node.test = 'in'
      node.categories = this.#sets.at(index)
      node.left = this.#right[index] as number
      node.right = left
      node.missingLeft = !node.missingLeft
      return
    }
    node.test = '<'
    node.threshold = Math.fround(this.#conditions[index] as number)
  }

  #leaf(index: number, node: TreeNode): void {
    const vectors = this.#vectors
    if (vectors === null) {
      node.value = Math.fround(Math.fround(this.#conditions[index] as number) * this.#weight)
      return
    }
    const leaf = this.#vectorsByLeaf ? (this.#right[index] as number) : index
    const start = leaf * this.vectorSize
    if (!(start >= 0 && start + this.vectorSize <= vectors.length)) {
      throw badModel(`leaf ${index} has no values`)
    }
    node.vector = vectors.subarray(start, start + this.vectorSize).map(Math.fround)
  }
}

/** The categories of a tree's nodes. */
class CategorySets {
  readonly #places = new Map<number, number>()
  readonly #starts: Float64Array
  readonly #sizes: Float64Array
  readonly #categories: Float64Array

  constructor(tree: Fields) {
    const nodes = needNumbers(tree, 'categories_nodes')
    this.#starts = needNumbers(tree, 'categories_segments', nodes.length)
    this.#sizes = needNumbers(tree, 'categories_sizes', nodes.length)
    this.#categories = needNumbers(tree, 'categories')
    for (let i = 0; i < nodes.length; i++) this.#places.set(nodes[i] as number, i)
  }

  at(node: number): Uint32Array {
    const place = this.#places.get(node)
    if (place === undefined) throw badModel(`node ${node} has no categories`)
    const start = this.#starts[place] as number
    const end = start + (this.#sizes[place] as number)
    if (!(start >= 0 && end >= start && end <= this.#categories.length)) {
      throw badModel(`the categories of node ${node} are not in the file`)
    }
    return categoryBits(this.#categories.subarray(start, end))
  }
}
