import type { ErrorCode } from '../../errors.ts'
import { quote } from './json-writer.ts'

/**
 * Codes to HTTP statuses, as Triton maps them. What Triton calls INTERNAL although the client is at fault is raised as
 * INVALID_ARG here, so it is a 400: see {@link CLIENT_MISTAKES}.
 */
const STATUSES: Readonly<Record<ErrorCode, number>> = {
  UNKNOWN: 400,
  INTERNAL: 500,
  NOT_FOUND: 404,
  INVALID_ARG: 400,
  UNAVAILABLE: 503,
  UNSUPPORTED: 501,
  ALREADY_EXISTS: 400,
  CANCELLED: 400,
}

/** Texts that Triton sends with status 500 and this server with 400: each says what the client did wrong. */
export const CLIENT_MISTAKES: readonly RegExp[] = [
  /^failed to parse the request JSON buffer: /,
  /^Unable to (parse|set) '/,
  /^Unable to parse JSON bytes array: /,
  /^failed to get request params\.: /,
  /^(Expected JSON object for|Converting) keyword: /,
  /^attempt to (access|get) /,
  /^unexpected error on creating Triton parameter$/,
]

export function httpStatus(code: ErrorCode): number {
  return STATUSES[code]
}

/** `{"error":"…"}`: the body of every error. */
export function errorBody(message: string): string {
  return `{"error":${quote(message)}}`
}
