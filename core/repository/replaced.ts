import { ServerError } from '../errors.ts'

/** Loads of one model that begin anew because its files were replaced meanwhile. */
export const MAX_FRESH_STARTS = 5

/** Thrown by a store whose file is not the one that was listed any more. What was read so far belongs to the past. */
export class ReplacedError extends ServerError {
  constructor(path: string, options?: { readonly cause?: unknown }) {
    super('UNAVAILABLE', `'${path}' was replaced while it was read`, options)
    this.name = 'ReplacedError'
  }
}

/** Thrown by a store that could not be reached, or broke off: later it may be there. */
export class UnreachableError extends ServerError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super('UNAVAILABLE', message, options)
    this.name = 'UnreachableError'
  }
}

/** Whether `error` came of a {@link ReplacedError}. */
export function isReplaced(error: unknown): boolean {
  return cameOf(error, ReplacedError)
}

/** Whether the same load may succeed later, although nothing in the repository is changed for it. */
export function isPassing(error: unknown): boolean {
  return cameOf(error, ReplacedError) || cameOf(error, UnreachableError)
}

function cameOf(error: unknown, kind: typeof ReplacedError | typeof UnreachableError): boolean {
  // A chain of causes is as long as our own layers are deep; sixteen is more than that.
  let one = error
  for (let depth = 0; depth < 16 && one instanceof Error; depth++) {
    if (one instanceof kind) return true
    one = one.cause
  }
  return false
}
