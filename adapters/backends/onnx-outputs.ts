import { packBytes } from '../../core/bytes.ts'
import { ServerError } from '../../core/errors.ts'
import { byteSize, type Datatype, elementCount, type Tensor } from '../../core/tensor.ts'
import type { Memory } from '../../native/onnxruntime/memory.ts'
import type { OnnxRuntime } from '../../native/onnxruntime/runtime.ts'
import { datatypeOfElement, ELEMENT_TYPES } from './onnx-types.ts'

/** Outputs up to this size are copied out of the plan's own buffer; larger ones are handed out where they lie. */
export const COPIED_OUTPUT_BYTES: number = 16 * 1024

/** Bytes of large output buffers that wait for reuse, per output and joined shape. */
const POOLED_BYTES: number = 32 * 1024 * 1024
/** Small outputs share slabs, so that most responses allocate nothing. One response can keep one slab alive. */
const SLAB_BYTES = 16 * 1024

/** What fills a buffer that ONNX Runtime is to write for the first time. */
const UNWRITTEN = 0xa5

/** Hands out small pieces of memory that are never written again. */
export class Slab {
  #buffer: ArrayBuffer = new ArrayBuffer(SLAB_BYTES)
  #used = 0

  copyOf(bytes: Uint8Array): Uint8Array {
    const size = bytes.length
    if (this.#used + size > SLAB_BYTES) {
      this.#buffer = new ArrayBuffer(Math.max(SLAB_BYTES, size))
      this.#used = 0
    }
    const copy = new Uint8Array(this.#buffer, this.#used, size)
    copy.set(bytes)
    // The next piece starts where any element type is aligned.
    this.#used += (size + 7) & ~7
    return copy
  }
}

/** An output whose shape is known before the run: ONNX Runtime writes it straight into memory of ours. */
export class KnownOutput {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  /** What the client sees: the config's dims where ONNX has a scalar. */
  readonly shownShape: readonly number[]
  readonly bytes: number
  readonly #ort: OnnxRuntime
  readonly #small: { readonly memory: Memory; readonly view: Uint8Array; value: number } | null
  readonly #pool: Memory[] = []
  #current: Memory | null = null
  #currentValue = 0

  constructor(
    ort: OnnxRuntime,
    name: string,
    datatype: Datatype,
    shape: readonly number[],
    shownShape: readonly number[],
  ) {
    this.#ort = ort
    this.name = name
    this.datatype = datatype
    this.shape = shape
    this.shownShape = shownShape
    this.bytes = byteSize(datatype, shape)
    if (this.bytes > COPIED_OUTPUT_BYTES) {
      this.#small = null
    } else {
      const memory = ort.allocate(this.bytes)
      const view = memory.bytes.subarray(0, this.bytes)
      this.#small = { memory, view, value: this.#valueOver(memory) }
    }
  }

  /** The OrtValue that the next run writes to. */
  begin(): number {
    if (this.#small !== null) return this.#small.value
    this.#current = this.#pool.pop() ?? this.#ort.allocate(this.bytes)
    this.#currentValue = this.#valueOver(this.#current)
    return this.#currentValue
  }

  /** Between {@link begin} and the first run: marks the buffer, so that {@link written} can tell. */
  mark(): void {
    this.#target?.fill(UNWRITTEN)
  }

  /**
   * Whether the run wrote the marked buffer. ONNX Runtime silently leaves it alone where a graph hands out one of its
   * inputs or initializers as an output (also one that constant folding made).
   */
  written(): boolean {
    const target = this.#target
    return target === undefined || this.bytes === 0 || target.some((byte) => byte !== UNWRITTEN)
  }

  /** After the run: the tensor, and the large buffer it lies in, which {@link recycle} takes back. */
  take(slab: Slab): { tensor: Tensor; memory: Memory | null } {
    const { name, datatype, shownShape: shape } = this
    if (this.#small !== null) {
      const data = slab.copyOf(this.#small.view)
      return { tensor: { name, datatype, shape, data }, memory: null }
    }
    const memory = this.#current as Memory
    this.#endLarge()
    const data = memory.bytes.subarray(0, this.bytes)
    return { tensor: { name, datatype, shape, data }, memory }
  }

  /** After a run that failed. */
  drop(): void {
    const memory = this.#current
    this.#endLarge()
    if (memory !== null) this.recycle(memory)
  }

  recycle(memory: Memory): void {
    if ((this.#pool.length + 1) * this.bytes <= POOLED_BYTES) this.#pool.push(memory)
  }

  close(): void {
    this.#endLarge()
    if (this.#small !== null && this.#small.value !== 0) {
      this.#ort.api.releaseValue(this.#small.value)
      this.#small.value = 0
    }
  }

  get #target(): Uint8Array | undefined {
    return this.#small !== null ? this.#small.view : this.#current?.bytes.subarray(0, this.bytes)
  }

  #endLarge(): void {
    if (this.#currentValue !== 0) this.#ort.api.releaseValue(this.#currentValue)
    this.#currentValue = 0
    this.#current = null
  }

  #valueOver(memory: Memory): number {
    const type = ELEMENT_TYPES[this.datatype]
    return this.#ort.tensor(memory.address, this.bytes, this.shape, type)
  }
}

/** A copy of an output that ONNX Runtime allocated; the value stays the caller's to release. */
export function readOutput(ort: OnnxRuntime, name: string, value: number): Tensor {
  if (value === 0) throw new ServerError('INTERNAL', `output tensor '${name}' is not found`)
  const { elementType, shape } = ort.describe(value)
  const datatype = datatypeOfElement(elementType)
  if (datatype === undefined) {
    throw new ServerError(
      'UNSUPPORTED',
      `unsupported ONNX element type ${elementType} for output '${name}'`,
    )
  }
  if (datatype === 'BYTES') {
    const data = packBytes(ort.strings(value, elementCount(shape)))
    return { name, datatype, shape, data }
  }
  const bytes = byteSize(datatype, shape)
  const memory = ort.allocate(bytes)
  if (bytes > 0) ort.api.library.copy(memory.address, ort.dataOf(value), bytes)
  return { name, datatype, shape, data: memory.bytes.subarray(0, bytes) }
}
