import type { Batch } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import { byteSize, type Tensor } from '../../core/tensor.ts'
import type { NeuronRuntime } from '../../native/neuron/runtime.ts'
import type { Memory } from '../../native/onnxruntime/memory.ts'
import type { NeuronTensor } from './neuron-types.ts'

/** A request alone in its batch whose tensor is at least this large is read where it lies: no copy of ours. */
export const BORROWED_INPUT_BYTES: number = 16 * 1024
/** Buffers of one output that are kept between runs. */
const KEPT_BUFFERS = 4

/** A tensor on the device with what a run moves into it. Rows beyond those of a batch are zeros, nobody's old data. */
export class NeuronInput {
  readonly spec: NeuronTensor
  readonly device: number
  /** Where the run's bytes lie, and how many there are. */
  from = 0
  bytes = 0
  /** Place among a request's inputs. */
  index = 0
  readonly #runtime: NeuronRuntime
  readonly #rows: number
  readonly #rowBytes: number
  #memory: Memory | null = null
  /** Rows on the device that are not known to be zeros. */
  #dirty: number

  constructor(runtime: NeuronRuntime, spec: NeuronTensor, device: number, rows: number) {
    this.#runtime = runtime
    this.spec = spec
    this.device = device
    this.#rows = rows
    this.#rowBytes = byteSize(spec.datatype, spec.shape) / rows
    this.#dirty = rows
  }

  /** Puts the batch's rows where the run reads them; they stay as long as `batch` and this are reachable. */
  gather(batch: Batch, rows: number): void {
    const { requests } = batch
    const wanted = rows * this.#rowBytes
    const first = requests[0]?.inputs[this.index]?.data
    if (
      first !== undefined &&
      requests.length === 1 &&
      first.length === wanted &&
      wanted >= BORROWED_INPUT_BYTES &&
      rows >= this.#dirty
    ) {
      this.from = this.#runtime.addressOf(first)
      this.bytes = wanted
      return
    }
    this.#memory ??= this.#runtime.allocate(this.#rows * this.#rowBytes)
    const target = this.#memory.bytes
    let at = 0
    for (let i = 0; i < requests.length; i++) {
      const data = requests[i]?.inputs[this.index]?.data
      if (data === undefined || at + data.length > wanted) throw this.#sizeError(rows)
      target.set(data, at)
      at += data.length
    }
    if (at !== wanted) throw this.#sizeError(rows)
    const moved = Math.max(rows, this.#dirty) * this.#rowBytes
    target.fill(0, wanted, moved)
    this.from = this.#memory.address
    this.bytes = moved
  }

  /** After the bytes were moved, or may have been (`failed`). */
  moved(rows: number, failed: boolean): void {
    this.#dirty = failed ? this.#rows : rows
  }

  #sizeError(rows: number): ServerError {
    const { name, datatype } = this.spec
    return new ServerError(
      'INVALID_ARG',
      `unexpected total byte size for input '${name}': ${rows} × ${this.#rowBytes} bytes of ${datatype} are expected`,
    )
  }
}

/** A tensor on the device with the memory that a run reads it into. */
export class NeuronOutput {
  readonly spec: NeuronTensor
  readonly device: number
  /** Somebody asks for it. */
  readonly wanted: boolean
  /** Of the run in progress. */
  memory: Memory | null = null
  bytes = 0
  readonly #runtime: NeuronRuntime
  readonly #batching: boolean
  readonly #rowBytes: number
  readonly #rows: number
  readonly #kept: Memory[] = []

  constructor(
    runtime: NeuronRuntime,
    spec: NeuronTensor,
    device: number,
    shape: { readonly rows: number; readonly batching: boolean; readonly wanted: boolean },
  ) {
    this.#runtime = runtime
    this.spec = spec
    this.device = device
    this.wanted = shape.wanted
    this.#batching = shape.batching
    this.#rows = shape.rows
    this.#rowBytes = byteSize(spec.datatype, spec.shape) / shape.rows
  }

  begin(rows: number): Memory {
    this.bytes = rows * this.#rowBytes
    this.memory = this.#kept.pop() ?? this.#runtime.allocate(this.#rows * this.#rowBytes)
    return this.memory
  }

  /** The tensor of `rows` rows; the memory is the caller's until it gives it back. */
  take(rows: number): Tensor {
    const { name, datatype, shape } = this.spec
    return {
      name,
      datatype,
      shape: this.#batching ? [rows, ...shape.slice(1)] : shape,
      data: this.memory?.bytes.subarray(0, this.bytes) ?? new Uint8Array(0),
    }
  }

  giveBack(memory: Memory | null): void {
    if (memory !== null && this.#kept.length < KEPT_BUFFERS) this.#kept.push(memory)
  }
}
