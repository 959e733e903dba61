import { ServerError } from './errors.ts'

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Packs BYTES elements: `uint32` little-endian length, then the bytes, one after another. */
export function packBytes(elements: readonly Uint8Array[]): Uint8Array {
  let size = 0
  for (const element of elements) size += 4 + element.length
  const packed = new Uint8Array(size)
  const view = new DataView(packed.buffer)
  let at = 0
  for (const element of elements) {
    view.setUint32(at, element.length, true)
    packed.set(element, at + 4)
    at += 4 + element.length
  }
  return packed
}

/**
 * Views on the elements of packed BYTES data. Throws INVALID_ARG with what is wrong (the caller names tensor and model):
 * an incomplete length, or fewer bytes than a length says.
 */
export function unpackBytes(data: Uint8Array): Uint8Array[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const elements: Uint8Array[] = []
  let at = 0
  while (at < data.length) {
    if (data.length - at < 4) {
      throw new ServerError(
        'INVALID_ARG',
        `incomplete string length indicator, expecting 4 bytes but only ${data.length - at} bytes available`,
      )
    }
    const length = view.getUint32(at, true)
    at += 4
    if (length > data.length - at) {
      throw new ServerError(
        'INVALID_ARG',
        `incomplete string data, expecting string of length ${length} but only ${data.length - at} bytes available`,
      )
    }
    elements.push(data.subarray(at, at + length))
    at += length
  }
  return elements
}
