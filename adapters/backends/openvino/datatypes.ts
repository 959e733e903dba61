import type { IoSpec, ModelIo } from '../../../core/backend/types.ts'
import { datatypeOfConfig } from '../../../core/config/datatypes.ts'
import type { ModelConfig, ModelInput, ModelOutput } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { Datatype } from '../../../core/tensor.ts'
import type { Conversions } from '../../../native/openvino/conversion.ts'
import { ELEMENT_TYPES, STRING_ELEMENT } from '../../../native/openvino/element-types.ts'
import type { Model, Port } from '../../../native/openvino/model.ts'

/** OpenVINO's number of each datatype. */
export const ELEMENTS: Readonly<Record<Datatype, number>> = {
  BOOL: ELEMENT_TYPES.boolean[0],
  BF16: ELEMENT_TYPES.bf16[0],
  FP16: ELEMENT_TYPES.f16[0],
  FP32: ELEMENT_TYPES.f32[0],
  FP64: ELEMENT_TYPES.f64[0],
  INT8: ELEMENT_TYPES.i8[0],
  INT16: ELEMENT_TYPES.i16[0],
  INT32: ELEMENT_TYPES.i32[0],
  INT64: ELEMENT_TYPES.i64[0],
  UINT8: ELEMENT_TYPES.u8[0],
  UINT16: ELEMENT_TYPES.u16[0],
  UINT32: ELEMENT_TYPES.u32[0],
  UINT64: ELEMENT_TYPES.u64[0],
  BYTES: STRING_ELEMENT,
}

const DATATYPES: ReadonlyMap<number, Datatype> = new Map(
  (Object.entries(ELEMENTS) as [Datatype, number][]).map(([name, element]) => [element, name]),
)

/** What a model says of its inputs and outputs. Throws UNSUPPORTED for datatypes the protocol has no name for, and unknown ranks. */
export function ioOfModel(model: Model): ModelIo {
  return { inputs: model.inputs.map(ioSpec), outputs: model.outputs.map(ioSpec) }
}

/**
 * What has another datatype in the config than in the model, which is converted, as in Triton's backend; undefined where all
 * agree. Strings are nothing else's equal: that is left to the check of the config.
 */
export function conversionsOf(model: Model, config: ModelConfig): Conversions | undefined {
  const inputs = differing(model.inputs, config.input ?? [])
  const outputs = differing(model.outputs, config.output ?? [])
  return inputs.size + outputs.size === 0 ? undefined : { inputs, outputs }
}

function differing(
  ports: readonly Port[],
  tensors: readonly (ModelInput | ModelOutput)[],
): Map<string, number> {
  const wanted = new Map<string, number>()
  for (const { name, elementType } of ports) {
    const datatype = datatypeOfConfig(tensors.find((tensor) => tensor.name === name)?.data_type)
    if (datatype === undefined || datatype === 'BYTES' || elementType === STRING_ELEMENT) continue
    if (ELEMENTS[datatype] !== elementType) wanted.set(name, ELEMENTS[datatype])
  }
  return wanted
}

function ioSpec({ name, elementType, shape }: Port): IoSpec {
  const datatype = DATATYPES.get(elementType)
  if (datatype === undefined) {
    throw new ServerError(
      'UNSUPPORTED',
      `unsupported OpenVINO element type ${elementType} for I/O '${name}'`,
    )
  }
  if (shape === null) {
    throw new ServerError('UNSUPPORTED', `the number of dimensions of I/O '${name}' is not known`)
  }
  return { name, datatype, shape }
}
