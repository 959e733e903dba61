/** Key of a missing value: above every number's, below {@link LEAF_KEY}. */
export const MISSING_KEY = 0x7fff_fffe
/** Threshold of a leaf: above every key. */
export const LEAF_KEY = 0x7fff_ffff

const MAGNITUDE = 0x7fff_ffff
const INFINITY_BITS = 0x7f80_0000

/** Whether the bits of an FP32 number are those of a NaN. */
export function isNanBits(bits: number): boolean {
  return (bits & MAGNITUDE) > INFINITY_BITS
}

/** Whole numbers for the bits of FP32 numbers, in the same order, both zeros alike; not for NaN. */
export function floatKey(bits: number): number {
  const sign = bits >> 31
  return ((bits & MAGNITUDE) ^ sign) - sign
}
