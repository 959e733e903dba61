const ERROR_CODES = [
  'UNKNOWN',
  'INTERNAL',
  'NOT_FOUND',
  'INVALID_ARG',
  'UNAVAILABLE',
  'UNSUPPORTED',
  'ALREADY_EXISTS',
  'CANCELLED',
] as const

/** Triton's eight error codes (TRITONSERVER_Error_Code), the closed vocabulary of everything a client may be told. */
export type ErrorCode = (typeof ERROR_CODES)[number]

/** Whether something from outside is one of Triton's codes. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return (ERROR_CODES as readonly unknown[]).includes(value)
}

/**
 * An error whose message a client may see. Anything else that is thrown is our own bug: {@link ServerError.from}
 * turns it into `INTERNAL` and keeps its message for the log (`cause`).
 */
export class ServerError extends Error {
  readonly code: ErrorCode
  /** When the same request may be sent again, seconds; 0 = nothing is said about it. */
  readonly retryAfterSecs: number

  constructor(
    code: ErrorCode,
    message: string,
    options?: { readonly cause?: unknown; readonly retryAfterSecs?: number },
  ) {
    super(message, options)
    this.name = 'ServerError'
    this.code = code
    this.retryAfterSecs = options?.retryAfterSecs ?? 0
  }

  /** `error` itself when it is a ServerError, else `INTERNAL` with `error` as its cause and its message withheld. */
  static from(error: unknown): ServerError {
    if (error instanceof ServerError) return error
    return new ServerError('INTERNAL', 'internal error', { cause: error })
  }
}

/** The message of anything thrown, for logs and for load reasons. */
export function messageOf(error: unknown): string {
  if (error instanceof ServerError && error.code === 'INTERNAL' && error.cause !== undefined) {
    return `${error.message}: ${messageOf(error.cause)}`
  }
  return error instanceof Error ? error.message : String(error)
}
