import type { Batch } from '../../../core/backend/types.ts'
import { unpackBytes } from '../../../core/bytes.ts'
import { ServerError } from '../../../core/errors.ts'
import { byteSize, DATATYPE_SIZES, type Datatype, elementCount } from '../../../core/tensor.ts'
import type { Memory } from '../../../native/onnxruntime/memory.ts'
import type { OpenVino } from '../../../native/openvino/runtime.ts'
import { BORROWED_INPUT_BYTES } from '../onnx-inputs.ts'
import type { JoinedInput } from '../onnx-plan.ts'
import { ELEMENTS } from './datatypes.ts'

const EMPTY = new Uint8Array(0)

/** One input of a joined shape, with memory of its own that batches are gathered into. */
export class PlanInput implements JoinedInput {
  readonly name: string
  readonly datatype: Datatype
  /** Of the whole batch, rows that fill it up included. */
  readonly shape: readonly number[]
  /** -1 for BYTES. */
  readonly bytes: number
  /** Which of the model's inputs it is. */
  readonly index: number
  /** The tensor of the next run. */
  tensor = 0
  /** Whether `tensor` is another one than at the run before. */
  fresh = false
  readonly #ov: OpenVino
  readonly #elementSize: number
  readonly #element: number
  /** Rows may be missing at the end: they are zeros, or empty strings. */
  readonly #padded: boolean
  #memory: Memory | null = null
  #own = 0
  /** A tensor over memory that is not ours or that holds strings; freed after the run. */
  #borrowed = 0

  constructor(ov: OpenVino, input: JoinedInput, index: number, padded: boolean) {
    this.#ov = ov
    this.name = input.name
    this.datatype = input.datatype
    this.shape = input.shape
    this.index = index
    this.bytes = byteSize(input.datatype, input.shape)
    this.#padded = padded
    this.#elementSize = DATATYPE_SIZES[input.datatype]
    this.#element = ELEMENTS[input.datatype]
  }

  /** Takes input `at` of every request of `batch`, rows in request order. Throws on a wrong size. */
  gather(batch: Batch, at: number): void {
    const { requests } = batch
    if (this.bytes < 0) {
      this.#use(this.#strings(batch, at))
      return
    }
    const first = requests[0]?.inputs[at]?.data
    if (first !== undefined && requests.length === 1 && first.length >= BORROWED_INPUT_BYTES) {
      if (first.length > this.bytes) throw this.#sizeError()
      const address = this.#ov.addressOf(first)
      // Kernels may assume the alignment of their element type.
      if (first.length === this.bytes && address % this.#elementSize === 0) {
        this.#use(this.#ov.tensorOver(address, this.shape, this.#element))
        return
      }
    }
    const target = this.#ownMemory().bytes
    let end = 0
    for (let i = 0; i < requests.length; i++) {
      const data = requests[i]?.inputs[at]?.data
      if (data === undefined || end + data.length > this.bytes) throw this.#sizeError()
      target.set(data, end)
      end += data.length
    }
    if (end !== this.bytes) {
      if (!this.#padded || end !== this.#bytesOfRows(batch.size)) throw this.#sizeError()
      target.fill(0, end, this.bytes)
    }
    this.fresh = this.tensor !== this.#own
    this.tensor = this.#own
  }

  /** After the run. */
  end(): void {
    if (this.#borrowed !== 0) {
      this.#ov.api.freeTensor(this.#borrowed)
      this.tensor = 0
    }
    this.#borrowed = 0
  }

  close(): void {
    this.end()
    if (this.#own !== 0) this.#ov.api.freeTensor(this.#own)
    this.#own = 0
  }

  #use(tensor: number): void {
    this.#borrowed = tensor
    this.tensor = tensor
    this.fresh = true
  }

  #ownMemory(): Memory {
    if (this.#memory === null) {
      const memory = this.#ov.allocate(this.bytes)
      this.#own = this.#ov.tensorOver(memory.address, this.shape, this.#element)
      this.#memory = memory
    }
    return this.#memory
  }

  #bytesOfRows(rows: number): number {
    return (this.bytes / (this.shape[0] ?? 1)) * rows
  }

  #strings(batch: Batch, at: number): number {
    const elements: Uint8Array[] = []
    for (const request of batch.requests) {
      const data = request.inputs[at]?.data
      if (data !== undefined) for (const element of unpackBytes(data)) elements.push(element)
    }
    const expected = elementCount(this.shape)
    const missing = expected - elements.length
    const filled = this.#padded ? (expected / (this.shape[0] ?? 1)) * batch.size : expected
    if (elements.length !== filled) {
      throw new ServerError(
        'INVALID_ARG',
        `expected ${filled} string elements for inference input '${this.name}', got ${elements.length}`,
      )
    }
    for (let i = 0; i < missing; i++) elements.push(EMPTY)
    return this.#ov.stringTensor(elements, this.shape)
  }

  /** The size is what keeps a native read inside the buffer: nothing goes on with another one. */
  #sizeError(): ServerError {
    return new ServerError(
      'INVALID_ARG',
      `unexpected total byte size for input '${this.name}': shape [${this.shape.join(',')}] of ${this.datatype} takes ${this.bytes}`,
    )
  }
}
