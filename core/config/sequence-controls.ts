import type { ConfigDatatype, ModelConfig, SequenceControl } from './types.ts'

export type ControlKind = NonNullable<SequenceControl['kind']>

/** A control together with the tensor that carries it. */
export interface ControlTensor {
  readonly name: string
  readonly control: SequenceControl
}

/** Tensors that carry `kind`, in config order. A control without a kind is a start control (proto default). */
export function controlTensors(config: ModelConfig, kind: ControlKind): ControlTensor[] {
  const inputs = config.sequence_batching?.control_input ?? []
  return inputs.flatMap((input) =>
    (input.control ?? [])
      .filter((control) => (control.kind ?? 'CONTROL_SEQUENCE_START') === kind)
      .map((control) => ({ name: input.name ?? '', control })),
  )
}

/** The datatype of the tensor: given for CORRID, else that of the pair of values. */
export function controlDatatype(control: SequenceControl): ConfigDatatype {
  if (control.kind === 'CONTROL_SEQUENCE_CORRID') return control.data_type ?? 'TYPE_INVALID'
  if (control.int32_false_true?.length) return 'TYPE_INT32'
  return control.fp32_false_true?.length ? 'TYPE_FP32' : 'TYPE_BOOL'
}

export const CONTROL_KINDS: readonly ControlKind[] = [
  'CONTROL_SEQUENCE_START',
  'CONTROL_SEQUENCE_END',
  'CONTROL_SEQUENCE_READY',
  'CONTROL_SEQUENCE_CORRID',
]
