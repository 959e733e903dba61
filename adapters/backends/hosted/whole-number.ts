import { ServerError } from '../../../core/errors.ts'

export interface Range {
  /** Where nothing is said. */
  readonly otherwise: number
  readonly least: number
  readonly most: number
}

/** What a setting or parameter says. Throws INVALID_ARG with its name for what is no whole number within the range. */
export function wholeNumber(
  name: string,
  text: string | undefined,
  { otherwise, least, most }: Range,
): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new ServerError(
      'INVALID_ARG',
      `${name} must be a whole number from ${least} to ${most}, got '${text.slice(0, 80)}'`,
    )
  }
  return value
}
