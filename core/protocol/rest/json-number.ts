import { jsonSyntaxError } from './json-error.ts'
import type { JsonReader } from './json-reader.ts'
import { JsonDouble } from './json-value.ts'

const MINUS = 0x2d
/** Digits that a double counts exactly. */
const EXACT_DIGITS = 15
const MAX_UINT64 = 0xffff_ffff_ffff_ffffn
const MAX_INT64_NEGATED = 0x8000_0000_0000_0000n

/** A number: whole ones are `number` or, beyond 2^53, `bigint`; all others are {@link JsonDouble}. */
export function readNumber(reader: JsonReader, decoder: TextDecoder): number | bigint | JsonDouble {
  const { bytes, end } = reader
  const start = reader.pos
  let p = start
  const negative = bytes[p] === MINUS
  if (negative) p++
  const first = p < end ? (bytes[p] as number) : 0
  if (first < 0x30 || first > 0x39) return notFinite(reader, p, negative)
  let digits = p
  if (first === 0x30) p++
  else p = skipDigits(bytes, p, end)
  digits = p - digits
  let whole = true
  if (p < end && bytes[p] === 0x2e) {
    whole = false
    const fraction = p + 1
    p = skipDigits(bytes, fraction, end)
    if (p === fraction) throw jsonSyntaxError('fraction', p)
  }
  if (p < end && ((bytes[p] as number) | 0x20) === 0x65) {
    whole = false
    p++
    if (p < end && (bytes[p] === 0x2b || bytes[p] === MINUS)) p++
    const exponent = p
    p = skipDigits(bytes, exponent, end)
    if (p === exponent) throw jsonSyntaxError('exponent', p)
  }
  reader.pos = p
  if (whole && digits <= EXACT_DIGITS) {
    let value = 0
    for (let i = negative ? start + 1 : start; i < p; i++) {
      value = value * 10 + ((bytes[i] as number) - 0x30)
    }
    return negative && value !== 0 ? -value : value
  }
  const text = decoder.decode(bytes.subarray(start, p))
  if (whole && digits <= 20) {
    const value = BigInt(text)
    if (value >= -MAX_INT64_NEGATED && value <= MAX_UINT64) {
      const asNumber = Number(value)
      return Number.isSafeInteger(asNumber) ? asNumber : value
    }
  }
  const value = Number(text)
  if (!Number.isFinite(value)) throw jsonSyntaxError('tooBig', start)
  return new JsonDouble(value)
}

function notFinite(reader: JsonReader, at: number, negative: boolean): JsonDouble {
  reader.pos = at
  if (reader.bytes[at] === 0x4e) return reader.literal('NaN', new JsonDouble(Number.NaN))
  if (reader.bytes[at] !== 0x49) throw jsonSyntaxError('value', at)
  reader.literal('Inf', null)
  if (reader.bytes[reader.pos] === 0x69) reader.literal('inity', null)
  return new JsonDouble(negative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY)
}

/** The first position from `from` on that holds no decimal digit. */
function skipDigits(bytes: Uint8Array, from: number, end: number): number {
  let p = from
  while (p < end && (bytes[p] as number) >= 0x30 && (bytes[p] as number) <= 0x39) p++
  return p
}
