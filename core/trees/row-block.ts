import { floatKey, isNanBits, MISSING_KEY } from './float-key.ts'
import type { Forest } from './types.ts'

/** Rows that are led through a tree before the next tree's turn: the tree stays in the cache meanwhile. */
export const BLOCK_ROWS = 64
/** Values of a block: wide rows come in smaller blocks. */
const BLOCK_VALUES = 2 ** 20

/** Rows that are evaluated together, in memory that serves one block after another. */
export class RowBlock {
  /** Most rows at a time. */
  readonly capacity: number
  rows = 0
  /** Something is missing in one of the rows. */
  missing = false
  /** Row after row; see {@link floatKey}. Only where the forest is plain. */
  readonly keys: Int32Array
  /** The same memory as FP32 numbers. Only where the forest is not plain. */
  readonly values: Float32Array
  /** A row of the forest's outputs for each row. */
  readonly sums: Float64Array
  /** For each row where in the tree at hand it has come. */
  readonly leaves: Int32Array
  readonly #forest: Forest

  /** For `rows` at most, or fewer where they are wide. */
  constructor(forest: Forest, rows: number = BLOCK_ROWS) {
    const narrow = Math.floor(BLOCK_VALUES / forest.features)
    this.capacity = Math.max(1, Math.min(rows, BLOCK_ROWS, narrow))
    this.keys = new Int32Array(this.capacity * forest.features)
    this.values = new Float32Array(this.keys.buffer)
    this.sums = new Float64Array(this.capacity * forest.outputs)
    this.leaves = new Int32Array(this.capacity)
    this.#forest = forest
  }

  /** Takes `rows` rows of FP32 numbers from byte `at` of `data` on, which may lie anywhere, and sets their sums to what they begin with. */
  begin(data: Uint8Array, at: number, rows: number): void {
    const { outputs, base, baseFirst, features, plain } = this.#forest
    this.rows = rows
    this.#copy(data, at, rows * features)
    if (plain) this.#order(rows * features)
    if (!baseFirst) this.sums.fill(0, 0, rows * outputs)
    else for (let i = 0; i < rows * outputs; i++) this.sums[i] = base[i % outputs] as number
  }

  #copy({ buffer, byteOffset }: Uint8Array, at: number, count: number): void {
    const { keys } = this
    const start = byteOffset + at
    if (start % 4 === 0) {
      const bits = new Int32Array(buffer, start, count)
      for (let i = 0; i < count; i++) keys[i] = bits[i] as number
      return
    }
    const view = new DataView(buffer, start, count * 4)
    for (let i = 0; i < count; i++) keys[i] = view.getInt32(i * 4, true)
  }

  #order(count: number): void {
    const { keys } = this
    let missing = false
    for (let i = 0; i < count; i++) {
      const bits = keys[i] as number
      if (isNanBits(bits)) {
        keys[i] = MISSING_KEY
        missing = true
      } else keys[i] = floatKey(bits)
    }
    this.missing = missing
  }
}
