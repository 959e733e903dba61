import type { Batch } from '../../../core/backend/types.ts'
import type { Tensor } from '../../../core/tensor.ts'
import type { Memory } from '../../../native/onnxruntime/memory.ts'
import type { OpenVino } from '../../../native/openvino/runtime.ts'
import type { Slab } from '../onnx-outputs.ts'
import type { Pace } from '../onnx-pace.ts'
import type { JoinedInput, PlanResult } from '../onnx-plan.ts'
import type { KeptPlan } from '../onnx-plans.ts'
import { PlanInput } from './plan-input.ts'
import { type ModelOutput, PlanOutput } from './plan-output.ts'

export interface PlanOptions {
  readonly ov: OpenVino
  /** In the order in which requests have them. */
  readonly inputs: readonly JoinedInput[]
  /** Which input of the model each of them is. */
  readonly indices: readonly number[]
  readonly outputs: readonly ModelOutput[]
  readonly pace: Pace
  /** Batches may have fewer rows than the joined shape. */
  readonly padded: boolean
}

/** Everything a run needs for batches of one joined shape: buffers and tensors over them. */
export class Plan implements KeptPlan {
  readonly inputs: readonly PlanInput[]
  readonly pace: Pace
  readonly #ov: OpenVino
  readonly #outputs: readonly PlanOutput[]

  constructor({ ov, inputs, indices, outputs, pace, padded }: PlanOptions) {
    this.#ov = ov
    this.pace = pace
    this.inputs = inputs.map((input, i) => new PlanInput(ov, input, indices[i] ?? i, padded))
    this.#outputs = outputs.map((output) => new PlanOutput(ov, output))
  }

  get bytes(): number {
    let bytes = 0
    for (const input of this.inputs) bytes += Math.max(0, input.bytes)
    for (const output of this.#outputs) bytes += output.bytes
    return bytes
  }

  /** True when outputs go where earlier runs of this shape say they will fit. */
  get presumes(): boolean {
    return this.#outputs.some((output) => output.presumes)
  }

  /** Puts the batch's rows where the run reads them. Throws before anything native runs on a wrong size. */
  gather(batch: Batch): void {
    for (let i = 0; i < this.inputs.length; i++) (this.inputs[i] as PlanInput).gather(batch, i)
  }

  /** Gives the request the tensors of the next run; `all` of them where its last run was another plan's. */
  bind(request: number, all: boolean): void {
    const { api } = this.#ov
    for (let i = 0; i < this.inputs.length; i++) {
      const input = this.inputs[i] as PlanInput
      if (all || input.fresh) api.check(api.setInput(request, input.index, input.tensor))
    }
    for (let i = 0; i < this.#outputs.length; i++) {
      const output = this.#outputs[i] as PlanOutput
      output.begin()
      if (all || output.fresh) api.check(api.setOutput(request, output.index, output.tensor))
      output.fresh = false
    }
  }

  endInputs(): void {
    for (let i = 0; i < this.inputs.length; i++) (this.inputs[i] as PlanInput).end()
  }

  /** After a successful run. `rows` says how many of the batch's are asked for, or -1 for all. */
  takeOutputs(slab: Slab, rows: number): PlanResult {
    const outputs: Tensor[] = []
    let lent: { output: PlanOutput; memory: Memory }[] | null = null
    for (let i = 0; i < this.#outputs.length; i++) {
      const output = this.#outputs[i] as PlanOutput
      const { tensor, memory } = output.take(slab, rows)
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
  abandonOutputs(): void {
    for (const output of this.#outputs) output.abandon()
  }

  forgetShapes(): void {
    for (const output of this.#outputs) output.forget()
  }

  close(): void {
    for (const input of this.inputs) input.close()
    for (const output of this.#outputs) output.close()
  }
}
