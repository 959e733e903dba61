import { TYPE_ERRORS } from './json-error.ts'
import type { JsonReader } from './json-reader.ts'
import { JsonDouble } from './json-value.ts'
import { NumberSink, type ScalarSink, separator, WRONG_COUNT } from './scalar-sink.ts'

const EXACT = 2 ** 53
/** Powers of ten that a double holds exactly. */
const TENS = [
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
  1e18, 1e19, 1e20, 1e21, 1e22,
]
const MAX_TEN = TENS.length - 1
/** Digits whose sum in a double is off by a few units in the last place at most. */
const MAX_DIGITS = 19
/** Far more than that error, far less than half a float32's last place. */
const ABOVE = 1 + 2 ** -48
const BELOW = 1 - 2 ** -48

/** FP32 and FP64. */
export class FloatSink extends NumberSink implements ScalarSink {
  readonly #out: Float32Array | Float64Array
  readonly #single: boolean

  constructor(out: Float32Array | Float64Array, count: number) {
    super(out, count)
    this.#out = out
    this.#single = out instanceof Float32Array
  }

  run(reader: JsonReader): boolean {
    const { bytes, end } = reader
    const out = this.#out
    const single = this.#single
    const count = this.count
    for (;;) {
      const start = reader.pos
      let p = start
      let c = p < end ? (bytes[p] as number) : 0
      const negative = c === 0x2d
      if (negative && ++p < end) c = bytes[p] as number
      const firstDigit = p
      let mantissa = 0
      let digit = c - 0x30
      while (digit >= 0 && digit <= 9) {
        mantissa = mantissa * 10 + digit
        digit = ++p < end ? (bytes[p] as number) - 0x30 : -1
      }
      let digits = p - firstDigit
      // A leading zero stands alone; the slow path says what is wrong.
      let fast = digits > 0 && (digits === 1 || bytes[firstDigit] !== 0x30)
      let power = 0
      let whole = true
      if (digit === -2) {
        whole = false
        const point = p
        digit = ++p < end ? (bytes[p] as number) - 0x30 : -1
        while (digit >= 0 && digit <= 9) {
          mantissa = mantissa * 10 + digit
          digit = ++p < end ? (bytes[p] as number) - 0x30 : -1
        }
        power = point + 1 - p
        digits -= power
        fast &&= power < 0
      }
      if (fast && (digit === 0x35 || digit === 0x15)) {
        whole = false
        let e = p + 1
        const sign = e < end ? (bytes[e] as number) : 0
        if (sign === 0x2b || sign === 0x2d) e++
        const firstExponent = e
        let exponent = 0
        digit = e < end ? (bytes[e] as number) - 0x30 : -1
        while (digit >= 0 && digit <= 9 && e - firstExponent < 4) {
          exponent = exponent * 10 + digit
          digit = ++e < end ? (bytes[e] as number) - 0x30 : -1
        }
        fast = e > firstExponent && !(digit >= 0 && digit <= 9)
        power += sign === 0x2d ? -exponent : exponent
        p = e
      }
      let value = 0
      if (fast && power >= -MAX_TEN && power <= MAX_TEN) {
        value = power < 0 ? mantissa / (TENS[-power] as number) : mantissa * (TENS[power] as number)
        // Up to 2^53 mantissa and power are exact and one operation rounds once: the right double. Beyond, a float32 is
        // still right when the neighbours of the double agree on it.
        if (mantissa >= EXACT) {
          fast =
            single &&
            digits <= MAX_DIGITS &&
            Math.fround(value * ABOVE) === Math.fround(value * BELOW)
        }
      } else fast = false
      if (fast) {
        reader.pos = p
        // `-0` is an integer, and integers have no negative zero.
        if (this.at < count) out[this.at++] = negative && !(whole && value === 0) ? -value : value
        else this.refuse(WRONG_COUNT)
      } else this.one(reader)
      const next = separator(reader)
      if (next !== 1) return next === 2
    }
  }

  protected take(value: unknown, index: number): string | null {
    if (value instanceof JsonDouble) this.#out[index] = value.value
    else if (typeof value === 'number' || typeof value === 'bigint') {
      this.#out[index] = Number(value)
    } else return TYPE_ERRORS.double
    return null
  }
}
