import { type ErrorCode, messageOf, ServerError } from '../errors.ts'

const CODE_TEXTS: Readonly<Record<ErrorCode, string>> = {
  UNKNOWN: 'Unknown',
  INTERNAL: 'Internal',
  NOT_FOUND: 'Not found',
  INVALID_ARG: 'Invalid argument',
  UNAVAILABLE: 'Unavailable',
  UNSUPPORTED: 'Unsupported',
  ALREADY_EXISTS: 'Already exists',
  CANCELLED: 'Cancelled',
}

/** `Invalid argument: …`, the way Triton writes the reason of a load that failed. */
export function statusText(error: unknown): string {
  return `${CODE_TEXTS[ServerError.from(error).code]}: ${messageOf(error)}`
}
