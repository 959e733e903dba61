import { packBytes, unpackBytes } from '../../core/bytes.ts'
import { ServerError } from '../../core/errors.ts'
import type {
  ArrayOf,
  Datatype,
  InputTensor,
  TensorData,
  TensorValue,
} from '../../core/model-api/types.ts'
import {
  byteSize,
  DATATYPE_SIZES,
  elementCount,
  shapeText,
  type Tensor,
} from '../../core/tensor.ts'

type NumberType = Exclude<Datatype, 'BYTES'>
type Numbers = ArrayOf[NumberType]
type NumbersConstructor = {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): Numbers
  from(values: Iterable<number | bigint>): Numbers
}

const ARRAYS = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
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
  BF16: Uint16Array,
} as unknown as Readonly<Record<NumberType, NumbersConstructor>>

/** What a typed array is for where nothing else says it; Uint8Array is bytes of whatever there is to be. */
const DATATYPE_OF: ReadonlyMap<unknown, Datatype> = new Map<unknown, Datatype>([
  [Uint16Array, 'UINT16'],
  [Uint32Array, 'UINT32'],
  [BigUint64Array, 'UINT64'],
  [Int8Array, 'INT8'],
  [Int16Array, 'INT16'],
  [Int32Array, 'INT32'],
  [BigInt64Array, 'INT64'],
  [Float32Array, 'FP32'],
  [Float64Array, 'FP64'],
])

/** A received tensor as models see it: made when its elements are first looked at. */
export class ReceivedTensor implements InputTensor {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
  #data: ArrayOf[Datatype] | null = null

  constructor({ name, datatype, shape, data }: Tensor) {
    this.name = name
    this.datatype = datatype
    this.shape = shape
    this.bytes = data
  }

  get data(): ArrayOf[Datatype] {
    this.#data ??= this.datatype === 'BYTES' ? this.#texts() : this.#numbers(this.datatype)
    return this.#data
  }

  elements(): readonly Uint8Array[] {
    if (this.datatype === 'BYTES') return unpackBytes(this.bytes)
    throw new ServerError('INVALID_ARG', `'${this.name}' is ${this.datatype}, not BYTES`)
  }

  #texts(): readonly string[] {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    return unpackBytes(this.bytes).map((element) => decoder.decode(element))
  }

  #numbers(datatype: NumberType): Numbers {
    const size = DATATYPE_SIZES[datatype]
    const { length } = this.bytes
    if (length !== byteSize(datatype, this.shape)) {
      throw new ServerError(
        'INVALID_ARG',
        `unexpected total byte size ${length} for input '${this.name}' of shape ${shapeText(this.shape)}`,
      )
    }
    // A typed array can begin at multiples of its elements only.
    const bytes = this.bytes.byteOffset % size === 0 ? this.bytes : this.bytes.slice()
    return new ARRAYS[datatype](bytes.buffer, bytes.byteOffset, length / size)
  }
}

/** Finds a tensor by name. Throws INVALID_ARG where there is none, or one of another datatype. */
export function findTensor<D extends Datatype>(
  tensors: readonly InputTensor[],
  what: string,
  name: string,
  datatype: D | undefined,
): InputTensor<D> {
  const found = tensors.find((tensor) => tensor.name === name)
  if (found === undefined) throw new ServerError('INVALID_ARG', `no ${what} '${name}'`)
  if (datatype !== undefined && found.datatype !== datatype) {
    throw new ServerError(
      'INVALID_ARG',
      `${what} '${name}' is ${found.datatype}, expected ${datatype}`,
    )
  }
  return found as InputTensor<D>
}

/**
 * A tensor that a model made, as on the wire: a view on the model's own memory where that is possible. `declared` is the
 * datatype that the config has for it. Throws INVALID_ARG for data that does not fit datatype and shape.
 */
export function toTensor(name: string, value: TensorValue, declared?: Datatype): Tensor {
  const { shape, data } = value
  const fail = (problem: string): ServerError =>
    new ServerError('INVALID_ARG', `tensor '${name}' ${problem}`)
  if (!Array.isArray(shape) || data === undefined) throw fail('needs a shape and data')
  const datatype = value.datatype ?? declared ?? DATATYPE_OF.get(data.constructor)
  if (datatype === undefined) throw fail('needs a datatype: its data does not tell it')
  if (declared !== undefined && datatype !== declared) {
    throw fail(`is ${datatype}, the model's config has ${declared}`)
  }
  const count = elementCount(shape)
  const bytes = datatype === 'BYTES' ? packed(data, fail) : numeric(datatype, data, fail)
  const expected = byteSize(datatype, shape)
  if (expected >= 0 && bytes.length !== expected) {
    throw fail(
      `has ${bytes.length} bytes, expected ${expected} for ${datatype} ${shapeText(shape)}`,
    )
  }
  const elements = expected >= 0 ? count : ArrayBuffer.isView(data) ? stringsIn(data) : data.length
  if (elements !== count) {
    throw fail(`has ${elements} elements, expected ${count} for ${shapeText(shape)}`)
  }
  return { name, datatype, shape: [...shape], data: bytes }
}

type Fail = (problem: string) => ServerError

function viewOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

function stringsIn(data: ArrayBufferView): number {
  return unpackBytes(viewOf(data)).length
}

function packed(data: TensorData, fail: Fail): Uint8Array {
  if (ArrayBuffer.isView(data)) return viewOf(data)
  const encoder = new TextEncoder()
  return packBytes(
    data.map((element) => {
      if (typeof element === 'string') return encoder.encode(element)
      if (element instanceof Uint8Array) return element
      throw fail(`holds a ${typeof element}, BYTES are strings or Uint8Arrays`)
    }),
  )
}

function numeric(datatype: NumberType, data: TensorData, fail: Fail): Uint8Array {
  const wanted = ARRAYS[datatype]
  if (ArrayBuffer.isView(data)) {
    // Bytes are taken for what they are; numbers of another kind would be read as garbage.
    if (data instanceof Uint8Array || (data as unknown as Numbers).constructor === wanted) {
      return viewOf(data)
    }
    throw fail(`is ${datatype}, its data are a ${data.constructor.name}`)
  }
  const big = datatype === 'INT64' || datatype === 'UINT64'
  const values = (data as readonly unknown[]).map((element) => {
    if (typeof element === 'string' || typeof element === 'object') {
      throw fail(`holds a ${typeof element}, ${datatype} needs numbers`)
    }
    return big ? BigInt(element as number) : Number(element)
  })
  return viewOf(wanted.from(values))
}
