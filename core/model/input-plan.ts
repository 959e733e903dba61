import { datatypeOfConfig } from '../config/datatypes.ts'
import type { ModelConfig, ModelInput } from '../config/types.ts'
import { DATATYPE_SIZES, type Datatype } from '../tensor.ts'

/** What checking one input needs, worked out once per model. */
export interface InputPlan {
  readonly name: string
  readonly datatype: Datatype
  /** Bytes per element; 0 for BYTES. */
  readonly elementSize: number
  /** Without the batch dimension; -1 = free. */
  readonly dims: readonly number[]
  /** The shape the model gets instead of `dims`; null = the same. */
  readonly reshape: readonly number[] | null
  readonly optional: boolean
  /** Carries no batch dimension of its own. */
  readonly isShapeTensor: boolean
  /** Its size follows from the format, not from the shape. */
  readonly skipsSize: boolean
}

export function createInputPlans(config: ModelConfig): readonly InputPlan[] {
  return (config.input ?? []).map(createInputPlan)
}

function createInputPlan(input: ModelInput): InputPlan {
  const datatype = datatypeOfConfig(input.data_type) ?? 'BYTES'
  return {
    name: input.name ?? '',
    datatype,
    elementSize: DATATYPE_SIZES[datatype],
    dims: input.dims ?? [],
    reshape: input.reshape === undefined ? null : (input.reshape.shape ?? []),
    optional: input.optional === true,
    isShapeTensor: input.is_shape_tensor === true,
    skipsSize: input.is_non_linear_format_io === true,
  }
}
