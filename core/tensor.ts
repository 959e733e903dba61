import { ServerError } from './errors.ts'

/** Wire datatypes of KServe v2 plus Triton's BF16. */
export type Datatype =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP16'
  | 'FP32'
  | 'FP64'
  | 'BYTES'
  | 'BF16'

/** Bytes per element; 0 for BYTES (variable). */
export const DATATYPE_SIZES: Readonly<Record<Datatype, number>> = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: 0,
  BF16: 2,
}

export function isDatatype(name: string): name is Datatype {
  return Object.hasOwn(DATATYPE_SIZES, name)
}

/**
 * A named tensor: row-major little-endian bytes exactly as on the wire. `data` is a view: it may start at any offset
 * of its buffer, and nobody but its owner may write through it. BYTES elements are `uint32 length, bytes` each.
 */
export interface Tensor {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

/** Dimensions a tensor may have; a longer shape is refused before anything is allocated. */
export const MAX_TENSOR_DIMS = 32

/**
 * Elements in `shape`, which must be whole and non-negative. The one place where shapes are multiplied: the product
 * is refused as soon as it leaves the range in which doubles count exactly (2^53).
 */
export function elementCount(shape: readonly number[]): number {
  let count = 1
  for (let i = 0; i < shape.length; i++) {
    const dim = shape[i] as number
    if (!(dim >= 0 && Number.isSafeInteger(dim))) {
      throw new ServerError(
        'INVALID_ARG',
        `shape ${shapeText(shape)} contains one or more invalid dimensions`,
      )
    }
    count *= dim
    // A zero later in the shape may not hide an overflow before it.
    if (count > Number.MAX_SAFE_INTEGER) {
      throw new ServerError(
        'INVALID_ARG',
        `shape ${shapeText(shape)} causes total element count to exceed maximum size of ${Number.MAX_SAFE_INTEGER}`,
      )
    }
  }
  return count
}

/** Bytes that `shape` of `datatype` takes; -1 for BYTES, whose size only the data tells. */
export function byteSize(datatype: Datatype, shape: readonly number[]): number {
  const size = DATATYPE_SIZES[datatype]
  if (size === 0) return -1
  const bytes = elementCount(shape) * size
  if (!Number.isSafeInteger(bytes)) {
    throw new ServerError(
      'INVALID_ARG',
      `byte size overflow for shape ${shapeText(shape)} of ${datatype}`,
    )
  }
  return bytes
}

/** `[1,16]`, the way Triton prints shapes. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(',')}]`
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
