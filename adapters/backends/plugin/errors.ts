import { type ErrorCode, ServerError } from '../../../core/errors.ts'

const CODES: Readonly<Record<ErrorCode, true>> = {
  UNKNOWN: true,
  INTERNAL: true,
  NOT_FOUND: true,
  INVALID_ARG: true,
  UNAVAILABLE: true,
  UNSUPPORTED: true,
  ALREADY_EXISTS: true,
  CANCELLED: true,
}

/** Characters of a plug-in's message that are repeated. */
const MAX_MESSAGE = 4096

/**
 * What a plug-in threw or gave as an error, as the server's. An error with one of the eight codes is the author's word to
 * clients; of any other, `what` says whose it is.
 */
export function pluginError(thrown: unknown, what: string): ServerError {
  if (thrown instanceof ServerError) return thrown
  try {
    const { code, message } = Object(thrown) as { code?: unknown; message?: unknown }
    const text = clip(typeof message === 'string' ? message : String(thrown))
    if (typeof code === 'string' && Object.hasOwn(CODES, code)) {
      return new ServerError(code as ErrorCode, text, { cause: thrown })
    }
    return new ServerError('INTERNAL', `${what}: ${text}`)
  } catch {
    // A getter of it threw.
    return new ServerError('INTERNAL', `${what}: an error that cannot be read`)
  }
}

/** Whether an answer is an error: of any class, also of another copy of this server's. */
export function isErrorLike(given: unknown): boolean {
  if (given instanceof Error) return true
  if (typeof given !== 'object' || given === null) return false
  return 'message' in given && !('outputs' in given)
}

function clip(text: string): string {
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text
}
