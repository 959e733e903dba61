import type { Batch } from '../../core/backend/types.ts'
import type { Datatype, Tensor } from '../../core/tensor.ts'
import { sameShape } from '../../core/tensor.ts'
import type { Memory } from '../../native/onnxruntime/memory.ts'
import { PointerTable } from '../../native/onnxruntime/pointer-table.ts'
import type { OnnxRuntime } from '../../native/onnxruntime/runtime.ts'
import { PlanInput } from './onnx-inputs.ts'
import { KnownOutput, readOutput, type Slab } from './onnx-outputs.ts'
import type { Pace } from './onnx-pace.ts'

/** One input of a plan before it has memory: its shape is that of the whole batch. */
export interface JoinedInput {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
}

/** An output the config asks for. */
export interface WantedOutput {
  readonly name: string
  readonly datatype: Datatype
  /** What a client sees of a scalar: the config's dims. */
  readonly scalarShape: readonly number[]
}

export interface PlanOptions {
  readonly ort: OnnxRuntime
  readonly inputs: readonly JoinedInput[]
  readonly outputs: readonly WantedOutput[]
  readonly pace: Pace
  /** C strings, kept alive by the instance. */
  readonly nameOf: (name: string) => Memory
}

/** What a run left behind: tensors, and what to give back when they were read. */
export interface PlanResult {
  readonly outputs: readonly Tensor[]
  readonly release?: () => void
}

/**
 * Everything one `Run` call needs for batches of one joined shape: pointer tables, buffers, OrtValues. The first run
 * lets ONNX Runtime allocate the outputs and learns their shapes; the next ones write into memory of ours.
 */
export class Plan {
  readonly inputs: readonly PlanInput[]
  readonly pace: Pace
  readonly inputNames: PointerTable
  readonly inputValues: PointerTable
  readonly outputNames: PointerTable
  readonly outputValues: PointerTable
  /** True once a run was seen to write the memory it was given. */
  #proven = false
  /** Set when a run wrote other shapes than the one before: ONNX Runtime allocates every time. */
  varying = false
  readonly #ort: OnnxRuntime
  readonly #wanted: readonly WantedOutput[]
  /** null = ONNX Runtime allocates this one (shape not known yet, or strings). */
  readonly #known: (KnownOutput | null)[]

  constructor(options: PlanOptions) {
    const { ort, inputs, outputs } = options
    this.#ort = ort
    this.#wanted = outputs
    this.pace = options.pace
    this.inputs = inputs.map(
      ({ name, datatype, shape }) => new PlanInput(ort, name, datatype, shape),
    )
    this.inputNames = new PointerTable(inputs.length)
    this.inputValues = new PointerTable(inputs.length)
    this.outputNames = new PointerTable(outputs.length)
    this.outputValues = new PointerTable(outputs.length)
    for (const [i, { name }] of inputs.entries()) {
      this.inputNames.set(i, options.nameOf(name).address)
    }
    for (const [i, { name }] of outputs.entries()) {
      this.outputNames.set(i, options.nameOf(name).address)
    }
    this.#known = outputs.map(() => null)
  }

  /** Bytes of inputs and outputs that it may hold while idle. */
  get bytes(): number {
    let bytes = 0
    for (const input of this.inputs) bytes += Math.max(0, input.bytes)
    for (const output of this.#known) bytes += output?.bytes ?? 0
    return bytes
  }

  /** True when outputs go where earlier runs of this shape say they will fit. */
  get presumes(): boolean {
    return this.#known.some((output) => output !== null)
  }

  /** Puts the batch's rows where the run reads them. Throws before anything native runs on a wrong size. */
  gather(batch: Batch): void {
    for (let i = 0; i < this.inputs.length; i++) {
      this.inputValues.set(i, (this.inputs[i] as PlanInput).gather(batch, i))
    }
  }

  prepareOutputs(): void {
    for (let i = 0; i < this.#known.length; i++) {
      this.outputValues.set(i, this.#known[i]?.begin() ?? 0)
    }
    if (!this.#proven) for (const output of this.#known) output?.mark()
  }

  /** After a successful run: false when it left memory unwritten that it was given for an output. */
  wroteOutputs(): boolean {
    if (this.#proven) return true
    if (!this.presumes) return true
    this.#proven = this.#known.every((output) => output === null || output.written())
    return this.#proven
  }

  endInputs(): void {
    for (const input of this.inputs) input.end()
  }

  /** After a successful run. */
  takeOutputs(slab: Slab): PlanResult {
    const outputs: Tensor[] = []
    let lent: { output: KnownOutput; memory: Memory }[] | null = null
    for (let i = 0; i < this.#known.length; i++) {
      const output = this.#known[i]
      if (output === null || output === undefined) {
        outputs.push(this.#takeAllocated(i))
        continue
      }
      const { tensor, memory } = output.take(slab)
      outputs.push(tensor)
      if (memory !== null) {
        lent ??= []
        lent.push({ output, memory })
      }
    }
    if (lent === null) return { outputs }
    const release = (): void => {
      for (const { output, memory } of lent) output.recycle(memory)
    }
    return { outputs, release }
  }

  /** After a run that failed: nothing of it may be handed out. */
  dropOutputs(): void {
    for (let i = 0; i < this.#known.length; i++) {
      const output = this.#known[i]
      if (output !== null && output !== undefined) output.drop()
      else this.#releaseAllocated(i)
    }
  }

  /** Lets ONNX Runtime allocate from now on: what this plan presumed of its outputs did not hold. */
  forgetShapes(): void {
    this.varying = true
    for (const [i, output] of this.#known.entries()) {
      output?.close()
      this.#known[i] = null
    }
  }

  close(): void {
    for (const input of this.inputs) input.close()
    for (const output of this.#known) output?.close()
  }

  #takeAllocated(index: number): Tensor {
    const wanted = this.#wanted[index] as WantedOutput
    try {
      const read = readOutput(this.#ort, wanted.name, this.outputValues.get(index))
      const shown = read.shape.length === 0 ? wanted.scalarShape : read.shape
      if (!this.varying && read.datatype !== 'BYTES') {
        const { name, datatype, shape } = read
        this.#known[index] = new KnownOutput(this.#ort, name, datatype, shape, shown)
      }
      return sameShape(shown, read.shape) ? read : { ...read, shape: shown }
    } finally {
      this.#releaseAllocated(index)
    }
  }

  #releaseAllocated(index: number): void {
    const value = this.outputValues.get(index)
    if (value !== 0) this.#ort.api.releaseValue(value)
    this.outputValues.set(index, 0)
  }
}
