import { ServerError } from '../../errors.ts'

/** 2^63 - 1: versions beyond it are no numbers to Triton. */
const MAX_INT64 = 0x7fff_ffff_ffff_ffffn
/** Digits that are looked at; more cannot be a 64-bit number unless they are zeros. */
const MAX_DIGITS = 64
/** Characters of a bad version that its error repeats. */
const SHOWN = 80

/**
 * A version string as Triton reads it (C's `stol`: blanks before the number and anything behind it are ignored), in plain
 * decimal. '' = what the version policy serves. Throws INVALID_ARG with Triton's texts.
 */
export function parseModelVersion(version: string): string {
  if (version === '' || /^[1-9][0-9]{0,8}$/.test(version)) return version
  const shown = version.slice(0, SHOWN)
  const match = /^[ \t\n\v\f\r]*([+-]?)0*([0-9]*)/.exec(version.slice(0, MAX_DIGITS))
  const digits = match?.[2] ?? ''
  const found = /[0-9]/.test(match?.[0] ?? '')
  const number = found ? BigInt(digits === '' ? '0' : digits) : -1n
  if (!found || number > MAX_INT64 + (match?.[1] === '-' ? 1n : 0n)) {
    throw new ServerError(
      'INVALID_ARG',
      `failed to get model version from specified version string '${shown}' (details: stol), version should be an integral value > 0`,
    )
  }
  if (match?.[1] === '-' && number > 0n) {
    throw new ServerError(
      'INVALID_ARG',
      `invalid model version specified '${shown}' , version should be an integral value > 0`,
    )
  }
  return String(number)
}
