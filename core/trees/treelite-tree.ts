import { badModel } from './bad-model.ts'
import type { ByteReader } from './byte-reader.ts'
import { categoryBits } from './categories.ts'
import { skipOptionalFields } from './treelite-optional.ts'
import type { NodeTest, TreeNode, TreeSource } from './types.ts'

const CATEGORICAL_NODE = 2
const OPERATORS: readonly (NodeTest | undefined)[] = [undefined, '==', '<', '<=', '>', '>=']
/** Bytes for each element of what is not needed: data counts, Hessians and gains, each with marks of presence. */
const STATISTICS: readonly number[] = [8, 1, 8, 1, 8, 1]

/** Reads one tree; `single` = its numbers are FP32, else FP64. */
export function readTreeliteTree(reader: ByteReader, single: boolean): TreeliteTree {
  const nodes = reader.i32()
  reader.u8()
  const numbers = (): Float32Array | Float64Array =>
    single ? new Float32Array(reader.copy(4)) : new Float64Array(reader.copy(8))
  const fields = {
    nodes,
    types: reader.bytes(1),
    left: new Int32Array(reader.copy(4)),
    right: new Int32Array(reader.copy(4)),
    features: new Int32Array(reader.copy(4)),
    defaultLeft: reader.bytes(1),
    leaves: numbers(),
    thresholds: numbers(),
    operators: reader.bytes(1),
    categoriesRight: reader.bytes(1),
    vectors: new Ranges(numbers(), reader),
    categories: new Ranges(new Uint32Array(reader.copy(4)), reader),
  }
  for (const size of STATISTICS) reader.bytes(size)
  // For the tree, then for its nodes.
  skipOptionalFields(reader)
  skipOptionalFields(reader)
  const { types, left, right, features, defaultLeft, leaves, thresholds, operators } = fields
  for (const list of [types, left, right, features, defaultLeft, leaves, thresholds, operators]) {
    if (list.length !== nodes) throw badModel(`${list.length} of something for ${nodes} nodes`)
  }
  return new TreeliteTree(fields)
}

interface TreeFields {
  readonly nodes: number
  readonly types: Uint8Array
  readonly left: Int32Array
  readonly right: Int32Array
  readonly features: Int32Array
  readonly defaultLeft: Uint8Array
  readonly leaves: Float32Array | Float64Array
  readonly thresholds: Float32Array | Float64Array
  readonly operators: Uint8Array
  readonly categoriesRight: Uint8Array
  readonly vectors: Ranges<Float32Array | Float64Array>
  readonly categories: Ranges<Uint32Array>
}

export class TreeliteTree implements TreeSource {
  readonly nodes: number
  readonly vectors: boolean
  readonly #fields: TreeFields

  constructor(fields: TreeFields) {
    this.nodes = fields.nodes
    this.vectors = fields.vectors.list.length > 0
    this.#fields = fields
  }

  read(index: number, node: TreeNode): void {
    const fields = this.#fields
    node.left = fields.left[index] as number
    if (node.left === -1) {
      node.value = fields.leaves[index] as number
      node.vector = fields.vectors.at(index)
      return
    }
    node.right = fields.right[index] as number
    node.feature = fields.features[index] as number
    node.missingLeft = fields.defaultLeft[index] !== 0
    if (fields.types[index] === CATEGORICAL_NODE) {
      node.test = 'in'
      node.categories = categoryBits(fields.categories.at(index))
      if (fields.categoriesRight[index] !== 0) {
        const { left } = node
        node.left = node.right
        node.right = left
        node.missingLeft = !node.missingLeft
      }
      return
    }
    const test = OPERATORS[fields.operators[index] as number]
    if (test === undefined) throw badModel(`node ${index} has an unknown operator`)
    node.test = test
    node.threshold = fields.thresholds[index] as number
  }
}

/** One list for all nodes, and where each node's part begins and ends. */
class Ranges<T extends Float32Array | Float64Array | Uint32Array> {
  readonly list: T
  readonly #begins: BigUint64Array
  readonly #ends: BigUint64Array
  /** Elements not yet given away: parts that overlap would become more than the file has. */
  #left: number

  constructor(list: T, reader: ByteReader) {
    this.list = list
    this.#begins = new BigUint64Array(reader.copy(8))
    this.#ends = new BigUint64Array(reader.copy(8))
    this.#left = list.length
  }

  at(node: number): T {
    const begin = Number(this.#begins[node] ?? 0n)
    const end = Number(this.#ends[node] ?? 0n)
    if (!(begin <= end && end <= this.list.length)) {
      throw badModel(`what belongs to node ${node} is not in the file`)
    }
    this.#left -= end - begin
    if (this.#left < 0) throw badModel('nodes that share their elements')
    return this.list.subarray(begin, end) as T
  }
}
