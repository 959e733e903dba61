import type { InferResponse } from '../infer.ts'
import type { CachedResponse } from './types.ts'

/** Copies begin at multiples of so many bytes: as typed arrays of any kind want them. */
const ALIGNMENT = 8
/** What an entry costs besides its bytes, about: key, records, shapes. */
const ENTRY_OVERHEAD = 512
const TENSOR_OVERHEAD = 256

/** What keeping a response takes, bytes, its records included. */
export function responseBytes({ outputs, parameters }: InferResponse): number {
  let size = ENTRY_OVERHEAD
  for (let i = 0; i < outputs.length; i++) {
    size += TENSOR_OVERHEAD + (outputs[i]?.data.length ?? 0)
  }
  if (parameters === undefined) return size
  for (const [name, value] of parameters) size += name.length + String(value).length
  return size
}

/**
 * A response on memory of its own, one allocation for all of its tensors: what an instance gave may be a view on a buffer that
 * it uses again.
 */
export function copyResponse({ outputs, parameters }: InferResponse): CachedResponse {
  let size = 0
  for (const { data } of outputs) size = aligned(size) + data.length
  const bytes = new Uint8Array(size)
  let at = 0
  const copies = outputs.map(({ name, datatype, shape, data }) => {
    at = aligned(at)
    bytes.set(data, at)
    const copy = bytes.subarray(at, at + data.length)
    at += data.length
    return { name, datatype, shape: [...shape], data: copy }
  })
  return parameters === undefined
    ? { outputs: copies }
    : { outputs: copies, parameters: new Map(parameters) }
}

function aligned(at: number): number {
  return Math.ceil(at / ALIGNMENT) * ALIGNMENT
}
