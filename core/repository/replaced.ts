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

/** Whether `error` came of a {@link ReplacedError}. */
export function isReplaced(error: unknown): boolean {
  // A chain of causes is as long as our own layers are deep; eight is more than that.
  let one = error
  for (let depth = 0; depth < 8 && one instanceof Error; depth++) {
    if (one instanceof ReplacedError) return true
    one = one.cause
  }
  return false
}
