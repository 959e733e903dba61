import { TYPE_ERRORS } from './json-error.ts'
import type { JsonReader } from './json-reader.ts'
import { NumberSink, type ScalarSink, separator, WRONG_COUNT } from './scalar-sink.ts'

type Numbers = Int8Array | Int16Array | Int32Array | Uint8Array | Uint16Array | Uint32Array

/** Integers up to 32 bits. What does not fit wraps, as Triton's casts do. */
export class IntSink extends NumberSink implements ScalarSink {
  readonly #out: Numbers
  readonly #signed: boolean

  constructor(out: Numbers, count: number, signed: boolean) {
    super(out, count)
    this.#out = out
    this.#signed = signed
  }

  run(reader: JsonReader): boolean {
    const { bytes, end } = reader
    const out = this.#out
    const count = this.count
    for (;;) {
      let p = reader.pos
      let c = p < end ? (bytes[p] as number) : 0
      const negative = c === 0x2d
      if (negative && ++p < end) c = bytes[p] as number
      const first = p
      let value = 0
      let digit = c - 0x30
      while (digit >= 0 && digit <= 9) {
        value = value * 10 + digit
        digit = ++p < end ? (bytes[p] as number) - 0x30 : -1
      }
      const digits = p - first
      // '.', 'e' and 'E' make a double; a sign on an unsigned one, a leading zero and many digits go the slow way too.
      const fast =
        digits > 0 &&
        digits <= 15 &&
        (digits === 1 || bytes[first] !== 0x30) &&
        digit !== -2 &&
        digit !== 0x35 &&
        digit !== 0x15 &&
        (!negative || this.#signed)
      if (fast) {
        reader.pos = p
        if (this.at < count) out[this.at++] = negative ? -value : value
        else this.refuse(WRONG_COUNT)
      } else this.one(reader)
      const next = separator(reader)
      if (next !== 1) return next === 2
    }
  }

  protected take(value: unknown, index: number): string | null {
    const whole = wholeNumber(value, this.#signed)
    if (typeof whole === 'string') return whole
    this.#out[index] = Number(BigInt.asIntN(32, whole))
    return null
  }
}

/** 64-bit integers as pairs of 32-bit words: no bigint is made for what a double counts exactly. */
export class LongSink extends NumberSink implements ScalarSink {
  readonly #words: Uint32Array
  readonly #signed: boolean

  constructor(words: Uint32Array, count: number, signed: boolean) {
    super(words, count)
    this.#words = words
    this.#signed = signed
  }

  run(reader: JsonReader): boolean {
    for (;;) {
      this.one(reader)
      const next = separator(reader)
      if (next !== 1) return next === 2
    }
  }

  protected take(value: unknown, index: number): string | null {
    if (typeof value === 'number' && (this.#signed || value >= 0)) {
      const high = Math.floor(value / 0x1_0000_0000)
      this.#words[index * 2] = value - high * 0x1_0000_0000
      this.#words[index * 2 + 1] = high
      return null
    }
    const whole = wholeNumber(value, this.#signed)
    if (typeof whole === 'string') return whole
    this.#words[index * 2] = Number(BigInt.asUintN(32, whole))
    this.#words[index * 2 + 1] = Number(BigInt.asUintN(32, whole >> 32n))
    return null
  }
}

export class BoolSink extends NumberSink implements ScalarSink {
  readonly #out: Uint8Array

  constructor(out: Uint8Array, count: number) {
    super(out, count)
    this.#out = out
  }

  run(reader: JsonReader): boolean {
    for (;;) {
      this.one(reader)
      const next = separator(reader)
      if (next !== 1) return next === 2
    }
  }

  protected take(value: unknown, index: number): string | null {
    if (typeof value !== 'boolean') return TYPE_ERRORS.boolean
    this.#out[index] = value ? 1 : 0
    return null
  }
}

/** `value` as a 64-bit integer, or Triton's words for why it is none. */
function wholeNumber(value: unknown, signed: boolean): bigint | string {
  const whole = typeof value === 'number' ? BigInt(value) : value
  if (signed) {
    return typeof whole === 'bigint' && whole <= 0x7fff_ffff_ffff_ffffn ? whole : TYPE_ERRORS.signed
  }
  return typeof whole === 'bigint' && whole >= 0n ? whole : TYPE_ERRORS.unsigned
}
