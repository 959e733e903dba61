import type { Pointer } from '../onnxruntime/functions.ts'
import { addressOf, allocate } from '../onnxruntime/memory.ts'
import { NOT_IMPLEMENTED, type OpenVinoApi, OpenVinoError } from './api.ts'

/** Bytes of a pointer, a size, a dimension. */
const WORD = 8

/** A tensor with memory of OpenVINO's own, which grows and shrinks with what a run writes. */
export function createTensor(api: OpenVinoApi, type: number, shape: readonly number[]): Pointer {
  const dims = dimensions(shape)
  return api.result((out) => api.createTensor(type, shape.length, dims, out))
}

/**
 * A tensor over memory of ours, which it does not own: whoever holds the tensor, or has given it to a request that runs,
 * keeps the buffer reachable. OpenVINO is told no size: the caller has checked that the shape fits.
 */
export function createTensorOver(
  api: OpenVinoApi,
  address: Pointer,
  shape: readonly number[],
  type: number,
): Pointer {
  const dims = dimensions(shape)
  return api.result((out) => api.createTensorOver(type, shape.length, dims, address, out))
}

export function tensorShape(api: OpenVinoApi, tensor: Pointer): number[] {
  const native = new BigInt64Array(2)
  api.check(api.tensorShape(tensor, native))
  const rank = Number(native[0])
  const dims = new BigInt64Array(Math.max(1, rank))
  if (rank > 0) api.copy(addressOf(dims), Number(native[1]), rank * WORD)
  api.freeShape(native)
  return Array.from(dims.subarray(0, rank), Number)
}

export function tensorData(api: OpenVinoApi, tensor: Pointer): Pointer {
  return api.result((out) => api.tensorData(tensor, out))
}

/** `std::string` of libstdc++: where the characters are, how many, 16 bytes more. */
const STRING_BYTES = 32
const WORDS_PER_STRING = STRING_BYTES / WORD

/**
 * A string tensor with a copy of `elements`, NUL bytes and all. The C API takes strings that end at their first NUL, so
 * it is given others of the same lengths, whose characters are then replaced.
 */
export function createStringTensor(
  api: OpenVinoApi,
  elements: readonly Uint8Array[],
  shape: readonly number[],
): Pointer {
  const { createStringTensor: create } = api
  if (create === null)
    throw new OpenVinoError(NOT_IMPLEMENTED, `OpenVINO ${api.version} takes no strings`)
  const count = elements.length
  let longest = 0
  for (const element of elements) longest = Math.max(longest, element.length)
  // One buffer, so that the call that reads it keeps all of it reachable: the pointers, then the longest filler with its NUL.
  const table = allocate(count * WORD + longest + 1)
  const end = count * WORD + longest
  table.bytes.fill(0x20).fill(0, end)
  const pointers = new BigUint64Array(table.bytes.buffer, 0, count)
  for (let i = 0; i < count; i++) {
    pointers[i] = BigInt(table.address + end - (elements[i] as Uint8Array).length)
  }
  const dims = dimensions(shape)
  const tensor = api.result((out) => create(table.bytes, count, shape.length, dims, out))
  try {
    const strings = stringTable(api, tensor, elements.length)
    for (let i = 0; i < elements.length; i++) {
      const element = elements[i] as Uint8Array
      if (Number(strings[i * WORDS_PER_STRING + 1]) !== element.length) throw otherLayout(api)
      if (element.length === 0) continue
      api.copy(Number(strings[i * WORDS_PER_STRING]), addressOf(element), element.length)
    }
    return tensor
  } catch (error) {
    api.freeTensor(tensor)
    throw error
  }
}

/** Copies of the elements of a string tensor. */
export function readStrings(api: OpenVinoApi, tensor: Pointer, count: number): Uint8Array[] {
  const strings = stringTable(api, tensor, count)
  const elements: Uint8Array[] = []
  for (let i = 0; i < count; i++) {
    const length = Number(strings[i * WORDS_PER_STRING + 1])
    const { bytes, address } = allocate(length)
    if (length > 0) api.copy(address, Number(strings[i * WORDS_PER_STRING]), length)
    elements.push(bytes.subarray(0, length))
  }
  return elements
}

/** The tensor's `std::string`s themselves, word by word. */
function stringTable(api: OpenVinoApi, tensor: Pointer, count: number): BigUint64Array {
  const words = new BigUint64Array(Math.max(1, count * WORDS_PER_STRING))
  if (count === 0) return words
  const bytes = api.result((out) => api.tensorByteSize(tensor, out))
  if (bytes !== count * STRING_BYTES) throw otherLayout(api)
  api.copy(addressOf(words), tensorData(api, tensor), bytes)
  return words
}

function otherLayout(api: OpenVinoApi): OpenVinoError {
  const text = `OpenVINO at ${api.path} was built with another C++ library than libstdc++`
  return new OpenVinoError(NOT_IMPLEMENTED, text)
}

function dimensions(shape: readonly number[]): BigInt64Array {
  const dims = new BigInt64Array(Math.max(1, shape.length))
  for (let i = 0; i < shape.length; i++) dims[i] = BigInt(shape[i] as number)
  return dims
}
