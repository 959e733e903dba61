import type { Tensor as OrtTensor, TensorConstructor } from 'onnxruntime-node'
import type { IoSpec } from '../../core/backend/types.ts'
import { packBytes, unpackBytes } from '../../core/bytes.ts'
import { DATATYPE_SIZES, type Datatype } from '../../core/tensor.ts'
import type { WireTensor } from './onnx-node-messages.ts'

type Type = OrtTensor.Type
type Metadata =
  | { readonly name: string; readonly isTensor: false }
  | {
      readonly name: string
      readonly isTensor: true
      readonly type: Type
      readonly shape: readonly (number | string)[]
    }

/** The binding's names; it has none for BF16. */
const TYPES: Readonly<Partial<Record<Datatype, Type>>> = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
}

type Numbers = Exclude<OrtTensor['data'], string[]>

/** The typed array the binding wants of each datatype; bytes for those not listed. */
const ARRAYS: Readonly<Partial<Record<Datatype, new (buffer: ArrayBuffer) => Numbers>>> = {
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
}

const DATATYPES: ReadonlyMap<string, Datatype> = new Map(
  (Object.entries(TYPES) as [Datatype, Type][]).map(([datatype, type]) => [type, datatype]),
)

/** How the binding describes an input or output, as ours. Throws for what the protocol cannot carry. */
export function ioSpecOf(metadata: Metadata): IoSpec {
  const { name } = metadata
  if (!metadata.isTensor) {
    throw new Error(`I/O '${name}' is no tensor, expected 'ONNX_TYPE_TENSOR'`)
  }
  const datatype = DATATYPES.get(metadata.type)
  if (datatype === undefined) {
    throw new Error(
      `ONNX Runtime’s JavaScript API cannot carry the datatype '${metadata.type}' of I/O '${name}'`,
    )
  }
  const shape = metadata.shape.map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : -1))
  return { name, datatype, shape }
}

/** A received tensor as the binding takes it: views on the transferred buffer; strings are decoded. */
export function toOrt(Tensor: TensorConstructor, wire: WireTensor): OrtTensor {
  const { datatype, buffer, shape } = wire
  const type = TYPES[datatype]
  if (type === undefined) throw new Error(`ONNX Runtime’s JavaScript API cannot carry ${datatype}`)
  if (datatype === 'BYTES') {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    const strings = unpackBytes(new Uint8Array(buffer)).map((element) => decoder.decode(element))
    return new Tensor('string', strings, shape)
  }
  const view = new (ARRAYS[datatype] ?? Uint8Array)(buffer)
  return new Tensor(type as 'float32', view as Float32Array, shape)
}

/** A result as it is sent: a copy of its own buffer, which can be transferred. */
export function fromOrt(name: string, tensor: OrtTensor): WireTensor {
  const datatype = DATATYPES.get(tensor.type)
  if (datatype === undefined) {
    throw new Error(
      `ONNX Runtime’s JavaScript API cannot carry the datatype '${tensor.type}' of output '${name}'`,
    )
  }
  const shape = [...tensor.dims]
  if (datatype === 'BYTES') {
    const encoder = new TextEncoder()
    const packed = packBytes((tensor.data as string[]).map((text) => encoder.encode(text)))
    return { name, datatype, shape, buffer: packed.buffer as ArrayBuffer }
  }
  const data = tensor.data as Numbers
  const bytes = tensor.size * DATATYPE_SIZES[datatype]
  const copy = new Uint8Array(bytes)
  copy.set(new Uint8Array(data.buffer, data.byteOffset, bytes))
  return { name, datatype, shape, buffer: copy.buffer }
}
