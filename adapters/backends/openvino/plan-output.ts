import { packBytes } from '../../../core/bytes.ts'
import { byteSize, type Datatype, elementCount, type Tensor } from '../../../core/tensor.ts'
import type { Memory } from '../../../native/onnxruntime/memory.ts'
import type { OpenVino } from '../../../native/openvino/runtime.ts'
import { COPIED_OUTPUT_BYTES, type Slab } from '../onnx-outputs.ts'
import { ELEMENTS } from './datatypes.ts'

/** Bytes of large output buffers that wait for reuse, per output and joined shape. */
const POOLED_BYTES: number = 32 * 1024 * 1024

/** An output that a config asks for. */
export interface ModelOutput {
  readonly name: string
  readonly datatype: Datatype
  /** Which of the model's outputs it is. */
  readonly index: number
  /** As the model has it; -1 = free. */
  readonly modelShape: readonly number[]
  /** What a client sees of a scalar: the config's dims. */
  readonly scalarShape: readonly number[]
}

/** A tensor that was read, and the large buffer it lies in, which {@link PlanOutput.recycle} takes back. */
export interface TakenOutput {
  readonly tensor: Tensor
  readonly memory: Memory | null
}

/**
 * One output of a joined shape. Once its shape is known OpenVINO writes it straight into memory of ours; until then, for
 * strings, and where it varies although the inputs' shapes do not, into a tensor of its own that is copied.
 */
export class PlanOutput {
  readonly index: number
  readonly name: string
  readonly datatype: Datatype
  /** The tensor of the next run. */
  tensor = 0
  /** Whether `tensor` is another one than at the run before. */
  fresh = false
  readonly #ov: OpenVino
  readonly #output: ModelOutput
  readonly #element: number
  /** Dimensions that the model itself leaves open. */
  readonly #free: number
  readonly #pool: Memory[] = []
  #shape: readonly number[] | null = null
  #bytes = 0
  #varying: boolean
  /** The memory of the next run; null while OpenVINO has its own. */
  #memory: Memory | null = null
  #view: Uint8Array | null = null

  constructor(ov: OpenVino, output: ModelOutput) {
    this.#ov = ov
    this.#output = output
    this.index = output.index
    this.name = output.name
    this.datatype = output.datatype
    this.#element = ELEMENTS[output.datatype]
    this.#free = output.modelShape.filter((dim) => dim < 0).length
    this.#varying = output.datatype === 'BYTES'
    if (this.#free === 0 && !this.#varying) this.#know(output.modelShape)
  }

  /** Bytes that it may hold while idle. */
  get bytes(): number {
    return this.#bytes
  }

  /** True when the next run writes where an earlier one's shape will fit. */
  get presumes(): boolean {
    return this.#free > 0 && this.#shape !== null
  }

  begin(): void {
    if (this.#shape === null) {
      if (this.tensor === 0) {
        const none = this.#output.modelShape.map((dim) => Math.max(0, dim))
        this.#use(this.#ov.tensor(this.#element, none))
      }
    } else if (this.#bytes > COPIED_OUTPUT_BYTES) {
      this.#place(this.#pool.pop() ?? this.#ov.allocate(this.#bytes))
    } else if (this.tensor === 0) {
      this.#place(this.#ov.allocate(this.#bytes))
    }
  }

  /** After a successful run. `rows` says how many of the batch's are asked for, or -1 for all. */
  take(slab: Slab, rows: number): TakenOutput {
    const { name, datatype } = this
    const whole = this.#actualShape()
    const shape = rows < 0 ? whole : [rows, ...whole.slice(1)]
    const shown = shape.length === 0 ? this.#output.scalarShape : shape
    const memory = this.#memory
    if (memory === null) {
      const tensor = { name, datatype, shape: shown, data: this.#copyAllocated(whole, shape) }
      if (!this.#varying) {
        this.#drop()
        this.#know(whole)
      }
      return { tensor, memory: null }
    }
    const bytes = byteSize(datatype, shape)
    if (this.#bytes <= COPIED_OUTPUT_BYTES) {
      const view = this.#view as Uint8Array
      const data = slab.copyOf(bytes === view.length ? view : view.subarray(0, bytes))
      return { tensor: { name, datatype, shape: shown, data }, memory: null }
    }
    this.#drop()
    const data = memory.bytes.subarray(0, bytes)
    return { tensor: { name, datatype, shape: shown, data }, memory }
  }

  /** After a run that failed: what it may have written is not looked at. */
  abandon(): void {
    const memory = this.#memory
    if (memory === null || this.#bytes <= COPIED_OUTPUT_BYTES) return
    this.#drop()
    this.recycle(memory)
  }

  /** Lets OpenVINO have its own memory from now on: what was presumed of the shape did not hold. */
  forget(): void {
    if (this.#free === 0) return
    this.#varying = true
    this.#shape = null
    this.#bytes = 0
    this.#drop()
  }

  recycle(memory: Memory): void {
    if ((this.#pool.length + 1) * this.#bytes <= POOLED_BYTES) this.#pool.push(memory)
  }

  close(): void {
    this.#drop()
  }

  #know(shape: readonly number[]): void {
    this.#shape = shape
    this.#bytes = byteSize(this.datatype, shape)
  }

  #use(tensor: number): void {
    this.tensor = tensor
    this.fresh = true
  }

  #place(memory: Memory): void {
    const shape = this.#shape as readonly number[]
    this.#memory = memory
    this.#view = memory.bytes.subarray(0, this.#bytes)
    this.#use(this.#ov.tensorOver(memory.address, shape, this.#element))
  }

  #drop(): void {
    if (this.tensor !== 0) this.#ov.api.freeTensor(this.tensor)
    this.tensor = 0
    this.#memory = null
    this.#view = null
  }

  /** Shape of what the run wrote. Looks as little as is safe: with one open dimension the size tells. */
  #actualShape(): readonly number[] {
    const known = this.#shape
    if (known !== null) {
      if (this.#free === 0) return known
      if (this.#free === 1 && this.#bytes > 0 && this.#tensorBytes() === this.#bytes) return known
    }
    return this.#ov.shapeOf(this.tensor)
  }

  #tensorBytes(): number {
    const { api } = this.#ov
    const tensor = this.tensor
    return api.result((out) => api.tensorByteSize(tensor, out))
  }

  #copyAllocated(whole: readonly number[], shape: readonly number[]): Uint8Array {
    const ov = this.#ov
    if (this.datatype === 'BYTES') {
      const elements = ov.strings(this.tensor, elementCount(whole))
      return packBytes(elements.slice(0, elementCount(shape)))
    }
    const bytes = byteSize(this.datatype, shape)
    const memory = ov.allocate(bytes)
    if (bytes > 0) ov.api.copy(memory.address, ov.dataOf(this.tensor), bytes)
    return memory.bytes.subarray(0, bytes)
  }
}
