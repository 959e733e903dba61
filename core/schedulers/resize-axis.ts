import { ServerError } from '../errors.ts'
import { DATATYPE_SIZES, elementCount, shapeText, type Tensor } from '../tensor.ts'

/**
 * `tensor` with `length` elements along `axis`: cut at the end, or filled up with `element`. A view where the kept bytes lie in
 * one piece, else a copy. Not for BYTES. Throws INTERNAL for data that its shape does not describe.
 */
export function resizeAxis(
  tensor: Tensor,
  axis: number,
  length: number,
  element: Uint8Array | null,
): Tensor {
  const { name, datatype, shape, data } = tensor
  const outer = elementCount(shape.slice(0, axis))
  const inner = elementCount(shape.slice(axis + 1)) * DATATYPE_SIZES[datatype]
  const from = (shape[axis] ?? 0) * inner
  const to = length * inner
  if (outer * from !== data.length) {
    throw new ServerError(
      'INTERNAL',
      `tensor '${name}' of shape ${shapeText(shape)} has ${data.length} bytes`,
    )
  }
  const resized = shape.slice()
  resized[axis] = length
  if (outer === 1 && to <= from) {
    return { name, datatype, shape: resized, data: data.subarray(0, to) }
  }
  const target = new Uint8Array(outer * to)
  if (element !== null && to > from) fill(target, element)
  const kept = Math.min(from, to)
  for (let i = 0; i < outer; i++) {
    target.set(data.subarray(i * from, i * from + kept), i * to)
  }
  return { name, datatype, shape: resized, data: target }
}

function fill(target: Uint8Array, element: Uint8Array): void {
  const first = element[0] ?? 0
  if (element.every((byte) => byte === first)) {
    if (first !== 0) target.fill(first)
    return
  }
  target.set(element.subarray(0, target.length))
  for (let done = element.length; done < target.length; done *= 2) {
    target.copyWithin(done, 0, Math.min(done, target.length - done))
  }
}
