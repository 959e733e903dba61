import type { Tensor } from '../tensor.ts'
import type { InputPlan } from './input-plan.ts'

/** Says whether `inputs` fit as they are. */
export type FastCheck = (inputs: readonly Tensor[]) => number

/**
 * A check that allocates nothing and words no errors: the rows of `inputs` when they are all there, in order and right, else
 * 0, which only means that the thorough check must look. null for models where nothing is ever plain (reshape, shape
 * tensors, formats).
 */
export function createFastCheck(
  plans: readonly InputPlan[],
  maxBatchSize: number,
): FastCheck | null {
  if (plans.some((plan) => plan.reshape !== null || plan.isShapeTensor || plan.skipsSize)) {
    return null
  }
  const first = maxBatchSize > 0 ? 1 : 0
  return (inputs) => {
    if (inputs.length !== plans.length) return 0
    let rows = 1
    for (let i = 0; i < plans.length; i++) {
      const plan = plans[i] as InputPlan
      const { name, datatype, shape, data } = inputs[i] as Tensor
      if (name !== plan.name || datatype !== plan.datatype) return 0
      if (shape.length !== plan.dims.length + first) return 0
      if (first === 1) {
        const size = shape[0] as number
        if (i === 0) {
          if (!(size >= 1 && size <= maxBatchSize && (size | 0) === size)) return 0
          rows = size
        } else if (size !== rows) return 0
      }
      const count = countItem(shape, plan.dims, first)
      if (count === 0) return 0
      const whole =
        plan.elementSize > 0
          ? data.length === rows * count * plan.elementSize
          : holdsStrings(data, rows * count)
      if (!whole) return 0
    }
    return rows
  }
}

/**
 * Elements of one row when `shape` fits `dims`, else 0. Zero and whatever is not a plain 32-bit count is left to the
 * thorough check, so the product here never hides an overflow behind a zero.
 */
function countItem(shape: readonly number[], dims: readonly number[], first: number): number {
  let count = 1
  for (let i = 0; i < dims.length; i++) {
    const dim = dims[i] as number
    const size = shape[i + first] as number
    if (dim !== -1 && dim !== size) return 0
    if (size >>> 0 !== size) return 0
    count *= size
  }
  return count
}

/** Whether packed BYTES data holds exactly `count` elements. */
function holdsStrings(data: Uint8Array, count: number): boolean {
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + 4 > data.length) return false
    const length =
      (data[at] as number) +
      (data[at + 1] as number) * 0x100 +
      (data[at + 2] as number) * 0x1_0000 +
      (data[at + 3] as number) * 0x100_0000
    at += 4 + length
  }
  return at === data.length
}
