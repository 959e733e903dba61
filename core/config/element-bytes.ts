import type { Datatype } from '../tensor.ts'

const FLOAT = /^[-+]?(\d+(\.\d*)?(e[-+]?\d+)?|\.\d+(e[-+]?\d+)?|inf)$/i
const INTEGER = /^[-+]?\d{1,20}$/

/** One element of `datatype` as it lies in a tensor; undefined where `text` is no value of it, or for strings. */
export function elementBytes(datatype: Datatype, text: string): Uint8Array | undefined {
  if (datatype === 'BOOL') {
    const value = ['false', 'true'].indexOf(text)
    return value < 0 ? undefined : Uint8Array.of(value)
  }
  const array = INTEGERS[datatype]
  if (array !== undefined) {
    if (!INTEGER.test(text)) return undefined
    const value = BigInt(text.replace('+', ''))
    const element = array(value)
    return BigInt(element[0] ?? 0) === value ? bytesOf(element) : undefined
  }
  if (!FLOAT.test(text)) return undefined
  const value = Number(text.toLowerCase().replace('inf', 'Infinity'))
  if (datatype === 'FP32') return bytesOf(Float32Array.of(value))
  if (datatype === 'FP64') return bytesOf(Float64Array.of(value))
  if (datatype === 'FP16') return bytesOf(Uint16Array.of(halfBits(value)))
  if (datatype === 'BF16') return bytesOf(Uint16Array.of(brainBits(value)))
  return undefined
}

const INTEGERS: Partial<
  Record<Datatype, (value: bigint) => ArrayLike<number | bigint> & ArrayBufferView>
> = {
  UINT8: (value) => Uint8Array.of(Number(value)),
  UINT16: (value) => Uint16Array.of(Number(value)),
  UINT32: (value) => Uint32Array.of(Number(value)),
  UINT64: (value) => BigUint64Array.of(value),
  INT8: (value) => Int8Array.of(Number(value)),
  INT16: (value) => Int16Array.of(Number(value)),
  INT32: (value) => Int32Array.of(Number(value)),
  INT64: (value) => BigInt64Array.of(value),
}

function bytesOf({ buffer }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer)
}

/** The nearest half-precision number. */
function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const size = Math.abs(value)
  if (size >= 65_520) return sign | 0x7c00
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.max(size, 2 ** -14))))
  const fraction = roundToEven((size / 2 ** exponent) * 1024)
  // Below the least normal number the implicit bit is absent; a carry out of the fraction is the next exponent.
  return sign | (size < 2 ** -14 ? fraction : ((exponent + 14) << 10) + fraction)
}

/** The nearest bfloat16: the upper half of a float. */
function brainBits(value: number): number {
  const bits = new DataView(new ArrayBuffer(4))
  bits.setFloat32(0, value)
  const whole = bits.getUint32(0)
  return Math.min(0xffff, (whole + 0x7fff + ((whole >>> 16) & 1)) / 0x10000) & 0xffff
}

function roundToEven(value: number): number {
  const below = Math.floor(value)
  const rest = value - below
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below
}
