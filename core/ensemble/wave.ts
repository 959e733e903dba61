import type { Tensor } from '../tensor.ts'
import type { Lease } from './lease.ts'
import type { SequenceMark } from './sequence-mark.ts'

/** An ensemble tensor on its way. */
export interface Value {
  /** null = left out: an optional input that was not given, an output that the model did not give, or of a step that was skipped. */
  readonly tensor: Tensor | null
  /** Batch size of the request it comes from; 0 = its model has no batch dimension. */
  readonly rows: number
  readonly lease: Lease | null
  /** Set on outputs of steps. */
  readonly mark: SequenceMark | null
  /** How many steps and outputs still need it. */
  uses: number
}

/** Tensors that belong together: one wave per request, and one per response of a decoupled step. */
export interface Wave {
  /** By slot. Gone once everyone who needs it has it. */
  readonly values: (Value | undefined)[]
  /** By step: the tensors it still waits for. */
  readonly waits: number[]
  /** Outputs still to come. */
  outputsLeft: number
}

/** Takes the value of `slot` for one of those who need it. The lease stays taken until that one is done. */
export function take(wave: Wave, slot: number): Value {
  const value = wave.values[slot] as Value
  if (--value.uses === 0) wave.values[slot] = undefined
  return value
}

/** Gives back what nobody will take any more. */
export function abandon(wave: Wave): void {
  for (const value of wave.values) {
    if (value === undefined || value.lease === null) continue
    for (; value.uses > 0; value.uses--) value.lease.drop()
  }
  wave.values.length = 0
}
