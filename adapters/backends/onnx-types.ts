import type { IoSpec, ModelIo } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { Datatype } from '../../core/tensor.ts'
import type { Session, ValueInfo } from '../../native/onnxruntime/session.ts'

/** ONNXTensorElementDataType of each datatype. */
export const ELEMENT_TYPES: Readonly<Record<Datatype, number>> = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
  BF16: 16,
}

const DATATYPES: ReadonlyMap<number, Datatype> = new Map(
  (Object.entries(ELEMENT_TYPES) as [Datatype, number][]).map(([name, type]) => [type, name]),
)

/** `undefined` for element types the protocol has no name for (complex, 8-bit and 4-bit floats, …). */
export function datatypeOfElement(elementType: number): Datatype | undefined {
  return DATATYPES.get(elementType)
}

const TENSOR = 1
const KINDS = [
  'ONNX_TYPE_UNKNOWN',
  'ONNX_TYPE_TENSOR',
  'ONNX_TYPE_SEQUENCE',
  'ONNX_TYPE_MAP',
  'ONNX_TYPE_OPAQUE',
  'ONNX_TYPE_SPARSETENSOR',
  'ONNX_TYPE_OPTIONAL',
] as const

/** What a session says of its inputs and outputs. Throws UNSUPPORTED for what is no tensor of a known datatype. */
export function ioOfSession(session: Session): ModelIo {
  return {
    inputs: [
      ...session.inputs.map((info) => ioSpec(info)),
      ...session.initializers.map((info) => ({ ...ioSpec(info), optional: true })),
    ],
    outputs: session.outputs.map((info) => ioSpec(info)),
  }
}

function ioSpec(info: ValueInfo): IoSpec {
  if (info.kind !== TENSOR) {
    throw new ServerError(
      'UNSUPPORTED',
      `Unsupported ONNX Type '${KINDS[info.kind] ?? KINDS[0]}' for I/O '${info.name}', expected '${KINDS[TENSOR]}'.`,
    )
  }
  const datatype = datatypeOfElement(info.elementType)
  if (datatype === undefined) {
    throw new ServerError(
      'UNSUPPORTED',
      `unsupported ONNX element type ${info.elementType} for I/O '${info.name}'`,
    )
  }
  return { name: info.name, datatype, shape: info.shape }
}
