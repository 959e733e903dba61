import type { ParameterValue } from '../infer.ts'
import { skipElements } from '../schedulers/skip-elements.ts'
import { byteSize, elementCount, isDatatype, MAX_TENSOR_DIMS, type Tensor } from '../tensor.ts'
import type { CachedResponse } from './types.ts'

/** Says which form the bytes have; another form has another mark. */
const MARK = 0x3152_434e
/** Tensors begin at multiples of so many bytes behind the header. */
const ALIGNMENT = 8
const PREFIX = 8

interface Header {
  readonly outputs: readonly (readonly [
    name: string,
    datatype: string,
    shape: readonly number[],
    size: number,
  ])[]
  readonly parameters?: readonly (readonly [name: string, type: string, text: string])[]
}

/** A response as bytes, for a cache in another process: mark, size of the header, header as JSON, tensors as they are. */
export function encodeResponse({ outputs, parameters }: CachedResponse): Uint8Array {
  const header: Header = {
    outputs: outputs.map(({ name, datatype, shape, data }) => [name, datatype, shape, data.length]),
    ...(parameters === undefined
      ? {}
      : { parameters: [...parameters].map(([name, value]) => [name, typeof value, `${value}`]) }),
  }
  const text = new TextEncoder().encode(JSON.stringify(header))
  let size = PREFIX + text.length
  for (const { data } of outputs) size += aligned(data.length)
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MARK, true)
  view.setUint32(4, text.length, true)
  bytes.set(text, PREFIX)
  let at = PREFIX + text.length
  for (const { data } of outputs) {
    bytes.set(data, at)
    at += aligned(data.length)
  }
  return bytes
}

/** The response that {@link encodeResponse} made `bytes` of, on memory of its own; null for bytes that are none. */
export function decodeResponse(bytes: Uint8Array): CachedResponse | null {
  try {
    return decode(bytes)
  } catch {
    return null
  }
}

function decode(bytes: Uint8Array): CachedResponse | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.getUint32(0, true) !== MARK) return null
  const start = PREFIX + view.getUint32(4, true)
  if (start > bytes.length) return null
  const header: Header = JSON.parse(new TextDecoder().decode(bytes.subarray(PREFIX, start)))
  // Not `slice`: a subclass may give a view.
  const body = new Uint8Array(bytes.subarray(start))
  const outputs: Tensor[] = []
  let at = 0
  for (const [name, datatype, shape, size] of header.outputs) {
    if (!isDatatype(datatype) || typeof name !== 'string') return null
    if (!(Number.isSafeInteger(size) && size >= 0 && at + size <= body.length)) return null
    if (!Array.isArray(shape) || shape.length > MAX_TENSOR_DIMS) return null
    const expected = byteSize(datatype, shape)
    const output = { name, datatype, shape, data: body.subarray(at, at + size) }
    const whole = expected >= 0 ? expected : skipElements(output, 0, elementCount(shape))
    if (whole !== size) return null
    outputs.push(output)
    at += aligned(size)
  }
  if (at !== body.length) return null
  if (header.parameters === undefined) return { outputs }
  const parameters = new Map<string, ParameterValue>()
  for (const [name, type, text] of header.parameters) parameters.set(name, parameterOf(type, text))
  return { outputs, parameters }
}

function parameterOf(type: string, text: string): ParameterValue {
  if (type === 'bigint') return BigInt(text)
  if (type === 'number') return Number(text)
  return type === 'boolean' ? text === 'true' : text
}

function aligned(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT
}
