import type { Tensor } from '../../tensor.ts'
import { invalid } from './json-value.ts'
import type { InferHeader } from './types.ts'

/** The request's tensors: views on `tail`, which holds the binary inputs one after another and nothing else. */
export function bindInputs(header: InferHeader, tail: Uint8Array, modelName: string): Tensor[] {
  const tensors: Tensor[] = []
  let at = 0
  for (const slot of header.inputs) {
    let data = slot.data
    if (data === null) {
      const next = at + slot.binarySize
      if (next > tail.length) {
        throw invalid(
          `unexpected size for input '${slot.name}', expecting ${next - tail.length} additional bytes for model '${modelName}'`,
        )
      }
      data = tail.subarray(at, next)
      at = next
    }
    tensors.push({ name: slot.name, datatype: slot.datatype, shape: slot.shape, data })
  }
  if (at !== tail.length) {
    throw invalid(`unexpected additional input data for model '${modelName}'`)
  }
  return tensors
}
