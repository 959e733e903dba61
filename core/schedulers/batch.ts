import type { Batch } from '../backend/types.ts'
import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import type { Tensor } from '../tensor.ts'

/**
 * Bytes of input `index` of all requests, rows in request order. Without `target`, a request alone in its batch is not
 * copied: its own view comes back. With `target` the rows are copied there, once, and the part that was filled comes back;
 * a target that is too small is INTERNAL.
 */
export function gatherInput(batch: Batch, index: number, target?: Uint8Array): Uint8Array {
  const { requests } = batch
  const only = requests.length === 1 ? inputAt(requests[0] as InferRequest, index).data : undefined
  if (only !== undefined && target === undefined) return only

  let size = 0
  for (const request of requests) size += inputAt(request, index).data.length
  const joined = target ?? new Uint8Array(size)
  if (size > joined.length) {
    throw new ServerError('INTERNAL', `batch needs ${size} bytes, its buffer has ${joined.length}`)
  }
  let at = 0
  for (const request of requests) {
    const { data } = inputAt(request, index)
    joined.set(data, at)
    at += data.length
  }
  return joined.length === size ? joined : joined.subarray(0, size)
}

/** Shape of the joined input `index`: the requests' common item shape with the batch's rows in front. */
export function joinedShape(batch: Batch, index: number): readonly number[] {
  const { shape } = inputAt(batch.requests[0] as InferRequest, index)
  if (batch.requests.length === 1) return shape
  const joined = shape.slice()
  joined[0] = batch.size
  return joined
}

function inputAt(request: InferRequest, index: number): Tensor {
  const input = request.inputs[index]
  if (input === undefined) {
    throw new ServerError('INTERNAL', `a request of the batch has no input number ${index}`)
  }
  return input
}
