import type { IoSpec, ModelIo } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { Datatype } from '../../../core/tensor.ts'
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
