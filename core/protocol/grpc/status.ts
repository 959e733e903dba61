import type { ErrorCode } from '../../errors.ts'

const CODES: Readonly<Record<ErrorCode, number>> = {
  UNKNOWN: 2,
  INTERNAL: 13,
  NOT_FOUND: 5,
  INVALID_ARG: 3,
  UNAVAILABLE: 14,
  UNSUPPORTED: 12,
  ALREADY_EXISTS: 6,
  CANCELLED: 1,
}

/** The gRPC status code of an error, one to one as Triton maps them. */
export function grpcCode(code: ErrorCode): number {
  return CODES[code]
}
