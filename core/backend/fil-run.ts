import { ServerError } from '../errors.ts'
import type { Tensor } from '../tensor.ts'
import { addTrees } from '../trees/evaluate.ts'
import { BLOCK_ROWS, RowBlock } from '../trees/row-block.ts'
import { FIL_INPUT, FIL_OUTPUT, type FilPlan, writeScores } from './fil-scores.ts'
import type { Batch } from './types.ts'

/** Nodes that are visited before others get their turn: about 2 ms. */
export const SLICE_VISITS = 200_000
/** Longest answer to one batch: 1 GiB. */
export const MAX_ANSWER_BYTES: number = 2 ** 30
const FLOAT_BYTES = 4
const NO_FLOATS = new Float32Array(0)

/** Evaluates one batch after another, a slice at a time. Rows go from the requests' own memory into one answer. */
export class FilRun {
  readonly #plan: FilPlan
  /** Visits that a row costs in one tree. */
  readonly #visits: number
  #tensors: Tensor[] = []
  #shape: readonly number[] = []
  #answer = NO_FLOATS
  /** The request at hand, its next row, and rows answered so far. */
  #request = 0
  #row = 0
  #written = 0
  /** The tree that is next for the block at hand. */
  #tree = 0
  readonly #block: RowBlock

  constructor(plan: FilPlan) {
    const { visits, trees } = plan.forest
    this.#plan = plan
    this.#visits = Math.max(1, visits / Math.max(1, trees))
    const rows = Math.min(BLOCK_ROWS, Math.floor(SLICE_VISITS / this.#visits))
    this.#block = new RowBlock(plan.forest, rows)
  }

  /** Throws where the requests have no such input, or their answer would be too large. */
  begin({ requests }: Batch): void {
    const { features } = this.#plan.forest
    let rows = 0
    for (let i = 0; i < requests.length; i++) {
      const tensor = requests[i]?.inputs[0]
      if (tensor === undefined) throw new ServerError('INVALID_ARG', `no input '${FIL_INPUT}'`)
      checkInput(tensor, features)
      rows += tensor.data.length / (features * FLOAT_BYTES)
      this.#tensors.push(tensor)
    }
    const size = rows * this.#plan.columns
    if (size * FLOAT_BYTES > MAX_ANSWER_BYTES) {
      throw new ServerError('INVALID_ARG', `an answer of ${size * FLOAT_BYTES} bytes is too large`)
    }
    this.#answer = new Float32Array(size)
    this.#shape = [rows, this.#plan.columns]
  }

  /** Goes on for {@link SLICE_VISITS}; true = all is answered. */
  slice(): boolean {
    const { trees, outputs, features } = this.#plan.forest
    for (let budget = SLICE_VISITS; budget > 0; ) {
      if (this.#tree === 0 && !this.#beginBlock()) return true
      const cost = this.#block.rows * this.#visits
      const to = Math.min(trees, this.#tree + Math.max(1, Math.floor(budget / cost)))
      addTrees(this.#plan.forest, this.#block, this.#tree, to)
      budget -= (to - this.#tree) * cost
      this.#tree = to
      if (to === trees) {
        this.#endBlock()
        budget -= this.#block.rows * (outputs + features)
      }
    }
    return this.#request === this.#tensors.length
  }

  /** The answer, and nothing of the batch is kept. */
  end(): Tensor {
    const { buffer, byteLength } = this.#answer
    const data = new Uint8Array(buffer, 0, byteLength)
    const tensor: Tensor = { name: FIL_OUTPUT, datatype: 'FP32', shape: this.#shape, data }
    this.#tensors = []
    this.#answer = NO_FLOATS
    this.#request = 0
    this.#row = 0
    this.#written = 0
    this.#tree = 0
    return tensor
  }

  /** False where no row is left. */
  #beginBlock(): boolean {
    const { features } = this.#plan.forest
    for (; this.#request < this.#tensors.length; this.#request++, this.#row = 0) {
      const { data } = this.#tensors[this.#request] as Tensor
      const left = data.length / (features * FLOAT_BYTES) - this.#row
      if (left <= 0) continue
      const rows = Math.min(this.#block.capacity, left)
      this.#block.begin(data, this.#row * features * FLOAT_BYTES, rows)
      return true
    }
    return false
  }

  #endBlock(): void {
    const { rows } = this.#block
    writeScores(this.#plan, this.#block, this.#answer, this.#written * this.#plan.columns)
    this.#written += rows
    this.#row += rows
    this.#tree = 0
    const { data } = this.#tensors[this.#request] as Tensor
    if (this.#row * this.#plan.forest.features * FLOAT_BYTES >= data.length) {
      this.#request++
      this.#row = 0
    }
  }
}

function checkInput({ name, datatype, shape, data }: Tensor, features: number): void {
  const rows = shape[0] ?? 0
  if (datatype === 'FP32' && shape.length === 2 && shape[1] === features) {
    if (data.length === rows * features * FLOAT_BYTES) return
  }
  throw new ServerError(
    'INVALID_ARG',
    `input '${name}' must be FP32 of shape [-1,${features}], got ${datatype} of shape [${shape.join(',')}] in ${data.length} bytes`,
  )
}
