import type { OrtApi } from './api.ts'
import type { Pointer } from './functions.ts'

/** ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING */
export const STRING_ELEMENT = 8

export interface TypeAndShape {
  readonly elementType: number
  readonly shape: readonly number[]
}

/** Reads an OrtTensorTypeAndShapeInfo, which stays the caller's. */
export function readTypeAndShape(api: OrtApi, info: Pointer): TypeAndShape {
  const elementType = api.result32((out) => api.getTensorElementType(info, out))
  const count = api.result((out) => api.getDimensionsCount(info, out))
  const dims = new BigInt64Array(Math.max(1, count))
  api.check(api.getDimensions(info, dims, count))
  return { elementType, shape: Array.from(dims.subarray(0, count), Number) }
}

/** Element type and shape of a tensor that ONNX Runtime made. */
export function valueTypeAndShape(api: OrtApi, value: Pointer): TypeAndShape {
  const info = api.result((out) => api.getTensorTypeAndShape(value, out))
  try {
    return readTypeAndShape(api, info)
  } finally {
    api.releaseTensorTypeAndShapeInfo(info)
  }
}

/**
 * A tensor over memory of ours. It does not own the memory: whoever holds the value keeps the buffer reachable.
 * `bytes` is what is at `address`; ONNX Runtime refuses a shape that needs more.
 */
export function createTensor(
  api: OrtApi,
  address: Pointer,
  bytes: number,
  shape: readonly number[],
  elementType: number,
): Pointer {
  const dims = dimensions(shape)
  return api.result((out) =>
    api.createTensorWithDataAsOrtValue(
      api.cpuMemory,
      address,
      bytes,
      dims,
      shape.length,
      elementType,
      out,
    ),
  )
}

/** A string tensor that holds a copy of `elements`, NUL bytes and all. */
export function createStringTensor(
  api: OrtApi,
  elements: readonly Uint8Array[],
  shape: readonly number[],
  addressOf: (view: Uint8Array) => Pointer,
): Pointer {
  const dims = dimensions(shape)
  const value = api.result((out) =>
    api.createTensorAsOrtValue(api.allocator, dims, shape.length, STRING_ELEMENT, out),
  )
  try {
    for (let i = 0; i < elements.length; i++) {
      const element = elements[i] as Uint8Array
      if (element.length === 0) continue
      const target = api.result((out) =>
        api.getResizedStringTensorElementBuffer(value, i, element.length, out),
      )
      api.library.copy(target, addressOf(element), element.length)
    }
    return value
  } catch (error) {
    api.releaseValue(value)
    throw error
  }
}

/** Copies of a string tensor's `count` elements. */
export function readStrings(api: OrtApi, value: Pointer, count: number): Uint8Array[] {
  const bytes = api.result((out) => api.getStringTensorDataLength(value, out))
  const content = new Uint8Array(Math.max(1, bytes))
  const offsets = new BigUint64Array(Math.max(1, count))
  if (count > 0) api.check(api.getStringTensorContent(value, content, bytes, offsets, count))
  const elements: Uint8Array[] = []
  for (let i = 0; i < count; i++) {
    const end = i + 1 < count ? Number(offsets[i + 1]) : bytes
    elements.push(content.subarray(Number(offsets[i]), end))
  }
  return elements
}

function dimensions(shape: readonly number[]): BigInt64Array {
  const dims = new BigInt64Array(Math.max(1, shape.length))
  for (let i = 0; i < shape.length; i++) dims[i] = BigInt(shape[i] as number)
  return dims
}
