import { unknownRegion } from '../../shared-memory/errors.ts'
import type { RegionLease } from '../../shared-memory/types.ts'
import type { Tensor } from '../../tensor.ts'
import { invalid } from './json-value.ts'
import type { InferHeader } from './types.ts'

/**
 * The request's tensors: views on `tail`, which holds the binary inputs one after another and nothing else, or what
 * `lease` has for them. The regions of its outputs are looked up, too. `lease` is there when the header has regions.
 */
export function bindInputs(
  header: InferHeader,
  tail: Uint8Array,
  modelName: string,
  lease: RegionLease | null = null,
): Tensor[] {
  const tensors: Tensor[] = []
  let at = 0
  for (const slot of header.inputs) {
    let data = slot.data
    if (slot.region) {
      if (lease === null) throw unknownRegion(slot.region.region)
      data = lease.input(slot.region)
    } else if (data === null) {
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
  if (header.regions && header.format.outputs !== null) {
    for (const { region } of header.format.outputs) if (region) lease?.output(region)
  }
  return tensors
}
