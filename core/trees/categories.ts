import { badModel } from './bad-model.ts'

/** Categories are FP32 numbers on the wire, which count without gaps up to here. */
export const MAX_CATEGORY: number = 2 ** 24 - 1

/** A list of categories as bits: bit c of word c / 32. Throws where one is no category. */
export function categoryBits(list: ArrayLike<number>): Uint32Array {
  let largest = -1
  for (let i = 0; i < list.length; i++) {
    const category = list[i] as number
    if (!(Number.isInteger(category) && category >= 0 && category <= MAX_CATEGORY)) {
      throw badModel(`category ${category}, of which 0 to ${MAX_CATEGORY} are possible`)
    }
    if (category > largest) largest = category
  }
  const bits = new Uint32Array((largest >> 5) + 1)
  for (let i = 0; i < list.length; i++) {
    const category = list[i] as number
    bits[category >> 5] = (bits[category >> 5] as number) | (1 << (category & 31))
  }
  return bits
}
