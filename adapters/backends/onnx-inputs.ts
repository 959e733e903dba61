import type { Batch } from '../../core/backend/types.ts'
import { unpackBytes } from '../../core/bytes.ts'
import { ServerError } from '../../core/errors.ts'
import { byteSize, DATATYPE_SIZES, type Datatype, elementCount } from '../../core/tensor.ts'
import type { Memory } from '../../native/onnxruntime/memory.ts'
import type { OnnxRuntime } from '../../native/onnxruntime/runtime.ts'
import { ELEMENT_TYPES } from './onnx-types.ts'

/** A request alone in its batch whose tensor is at least this large is read where it lies: no copy. */
export const BORROWED_INPUT_BYTES: number = 16 * 1024

/** One input of a joined shape, with memory of its own that batches are gathered into. */
export class PlanInput {
  readonly name: string
  readonly datatype: Datatype
  /** Of the whole batch. */
  readonly shape: readonly number[]
  /** -1 for BYTES. */
  readonly bytes: number
  readonly #ort: OnnxRuntime
  readonly #elementSize: number
  readonly #elementType: number
  #memory: Memory | null = null
  #value = 0
  /** A value over memory that is not ours or that holds strings; released after the run. */
  #borrowed = 0

  constructor(ort: OnnxRuntime, name: string, datatype: Datatype, shape: readonly number[]) {
    this.#ort = ort
    this.name = name
    this.datatype = datatype
    this.shape = shape
    this.bytes = byteSize(datatype, shape)
    this.#elementSize = DATATYPE_SIZES[datatype]
    this.#elementType = ELEMENT_TYPES[datatype]
  }

  /** The OrtValue with input `index` of every request of `batch`, rows in request order. */
  gather(batch: Batch, index: number): number {
    const { requests } = batch
    if (this.bytes < 0) return this.#strings(batch, index)
    const first = requests[0]?.inputs[index]?.data
    if (first !== undefined && requests.length === 1 && first.length >= BORROWED_INPUT_BYTES) {
      if (first.length !== this.bytes) throw this.#sizeError()
      const address = this.#ort.addressOf(first)
      // ONNX Runtime's kernels may assume the alignment of their element type.
      if (address % this.#elementSize === 0) {
        this.#borrowed = this.#ort.tensor(address, this.bytes, this.shape, this.#elementType)
        return this.#borrowed
      }
    }
    const target = this.#own().bytes
    let at = 0
    for (let i = 0; i < requests.length; i++) {
      const data = requests[i]?.inputs[index]?.data
      if (data === undefined || at + data.length > this.bytes) throw this.#sizeError()
      target.set(data, at)
      at += data.length
    }
    if (at !== this.bytes) throw this.#sizeError()
    return this.#value
  }

  /** After the run. */
  end(): void {
    if (this.#borrowed !== 0) this.#ort.api.releaseValue(this.#borrowed)
    this.#borrowed = 0
  }

  close(): void {
    this.end()
    if (this.#value !== 0) this.#ort.api.releaseValue(this.#value)
    this.#value = 0
  }

  #own(): Memory {
    if (this.#memory === null) {
      const memory = this.#ort.allocate(this.bytes)
      this.#value = this.#ort.tensor(memory.address, this.bytes, this.shape, this.#elementType)
      this.#memory = memory
    }
    return this.#memory
  }

  #strings(batch: Batch, index: number): number {
    const elements: Uint8Array[] = []
    for (const request of batch.requests) {
      const data = request.inputs[index]?.data
      if (data !== undefined) for (const element of unpackBytes(data)) elements.push(element)
    }
    const expected = elementCount(this.shape)
    if (elements.length !== expected) {
      throw new ServerError(
        'INVALID_ARG',
        `expected ${expected} string elements for inference input '${this.name}', got ${elements.length}`,
      )
    }
    this.#borrowed = this.#ort.stringTensor(elements, this.shape)
    return this.#borrowed
  }

  /** The size is what keeps a native read inside the buffer: nothing goes on with another one. */
  #sizeError(): ServerError {
    return new ServerError(
      'INVALID_ARG',
      `unexpected total byte size for input '${this.name}': shape [${this.shape.join(',')}] of ${this.datatype} takes ${this.bytes}`,
    )
  }
}
