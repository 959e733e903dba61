import type { ServerError } from '../errors.ts'
import { InferRequest, type InferResponse, type ResponseSink } from '../infer.ts'
import type { Tensor } from '../tensor.ts'
import { acrossBatching } from './dims.ts'
import type { Held } from './lease.ts'
import type { ResolvedStep } from './resolved-steps.ts'
import { type SequenceMark, sameMark } from './sequence-mark.ts'
import type { GateWaiter } from './step-gate.ts'
import { take, type Wave } from './wave.ts'

/** Who runs steps. */
export interface StepCaller {
  readonly request: InferRequest
  readonly mark: SequenceMark
  answered(call: StepCall, answer: InferResponse | ServerError | null, final: boolean): void
  admitted(call: StepCall): void
  refused(call: StepCall, error: ServerError): void
  /** Two inputs of a step come with different sequences. */
  conflict(step: ResolvedStep, used: SequenceMark): void
}

/** One request of a step to its model. */
export class StepCall implements ResponseSink, GateWaiter {
  readonly step: ResolvedStep
  readonly wave: Wave
  readonly request: InferRequest
  /** The memory that its inputs, views on what other steps gave, lie in. */
  readonly held: readonly Held[]
  readonly mark: SequenceMark
  readonly #caller: StepCaller

  /** Takes its inputs from `wave`, which has them all. */
  constructor(caller: StepCaller, step: ResolvedStep, wave: Wave) {
    this.#caller = caller
    this.step = step
    this.wave = wave
    const inputs: Tensor[] = []
    let mark = caller.mark
    let marked = false
    for (let i = 0; i < step.inputs.length; i++) {
      const port = step.inputs[i] as (typeof step.inputs)[number]
      const value = wave.values[port.slot]
      if (value === undefined || value.tensor === null) continue
      const { datatype, shape, data } = value.tensor
      const dims = step.dims[i] as readonly number[]
      const across = acrossBatching(shape, dims, step.batches, value.rows)
      inputs.push({ name: port.name, datatype, shape: across, data })
      if (value.mark === null) continue
      if (!marked) mark = value.mark
      else if (!sameMark(mark, value.mark)) caller.conflict(step, mark)
      marked = true
    }
    this.held = takeAll(step, wave)
    this.mark = mark
    const { id, parameters, priority, timeoutUs, owner, trace } = caller.request
    this.request = new InferRequest(
      {
        id,
        inputs,
        outputs: step.outputNames,
        parameters,
        priority,
        timeoutUs,
        sequenceId: mark.id,
        sequenceStart: mark.start,
        sequenceEnd: mark.end,
        owner,
        trace: trace === null ? null : trace.child(),
      },
      this,
    )
  }

  answer(_request: InferRequest, answer: InferResponse | ServerError | null, final: boolean): void {
    this.#caller.answered(this, answer, final)
  }

  /** What it gives goes to the client in the end, who may be slow. */
  congested(): boolean {
    return this.#caller.request.congested
  }

  admitted(): void {
    this.#caller.admitted(this)
  }

  refused(error: ServerError): void {
    this.#caller.refused(this, error)
  }

  /** The model does not read the inputs any more. */
  dropInputs(): void {
    for (const { lease } of this.held) lease.drop()
  }
}

const NOTHING: readonly Held[] = []

function takeAll(step: ResolvedStep, wave: Wave): readonly Held[] {
  let held: Held[] | null = null
  for (const slot of step.slots) {
    const { lease, tensor } = take(wave, slot)
    if (lease === null) continue
    held ??= []
    // What was left out holds no memory; its lease is given back all the same.
    held.push({ lease, buffer: tensor?.data.buffer ?? new ArrayBuffer(0) })
  }
  return held ?? NOTHING
}
