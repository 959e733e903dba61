import type { ScalarKind } from './fields.ts'

type IntegerKind = Extract<ScalarKind, 'int32' | 'uint32' | 'int64' | 'uint64'>

/**
 * What each integer kind may hold. The 64-bit kinds end where doubles stop counting exactly (2^53 - 1): a larger
 * value is refused rather than rounded.
 */
export const INTEGER_RANGES: Readonly<Record<IntegerKind, readonly [min: number, max: number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
}

/** More digits than any integer kind needs. */
const MAX_INTEGER_DIGITS = 32

export function isIntegerKind(kind: string): kind is IntegerKind {
  return Object.hasOwn(INTEGER_RANGES, kind)
}

/** Value of unsigned integer digits: decimal, `0x…` hexadecimal or `0…` octal. Beyond 2^53 it is Infinity. */
export function integerOf(digits: string): number {
  const radix = /^0[xX]/.test(digits) ? 16 : digits.startsWith('0') && digits.length > 1 ? 8 : 10
  const bare = digits.replace(radix === 16 ? /^0[xX]0*/ : /^0+/, '')
  if (bare === '') return 0
  if (bare.length > MAX_INTEGER_DIGITS) return Number.POSITIVE_INFINITY
  const value = Number.parseInt(bare, radix)
  return Number.isSafeInteger(value) ? value : Number.POSITIVE_INFINITY
}

/** `undefined` when `value` fits `kind`, else what is wrong with `text`, which it was written as. */
export function rangeProblem(kind: IntegerKind, value: number, text: string): string | undefined {
  const [min, max] = INTEGER_RANGES[kind]
  if (value >= min && value <= max) return undefined
  const shown = text.length > MAX_INTEGER_DIGITS ? `${text.slice(0, MAX_INTEGER_DIGITS)}…` : text
  return `${shown} is out of range for ${kind} (${min} to ${max})`
}

/** Shortest decimal that reads back as the same 32-bit float. */
export function shortestFloat(value: number): number {
  if (Math.fround(value) !== value) return value
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return Number(value.toPrecision(9))
}
