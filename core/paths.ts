import { ServerError } from './errors.ts'

/** Longest model, version, file or tensor name, in UTF-8 bytes: what every file system takes. */
export const MAX_NAME_BYTES = 255

/** Deepest path below a model folder. */
export const MAX_PATH_DEPTH = 32

/** How much of a refused name an error message repeats, in characters. */
const SHOWN_NAME_CHARS = 80

// Control characters and lone surrogates: neither can be written into a path or a log line as they came.
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u
// A name that is decoded once more somewhere else must not turn into a path.
const PERCENT_ENCODED = /%[0-9a-f]{2}/i

/**
 * Returns `name` when it may stand as one segment of a path, else throws INVALID_ARG that says why. `what` is how the
 * message calls it: `model name`. This and {@link safeJoin} are the only ways by which a name from outside becomes a path.
 *
 * Compatibility forms (full-width dots and slashes, one-dot leaders) are judged by what they normalise to.
 */
export function safeName(name: string, what: string): string {
  const problem = nameProblem(name, what)
  if (problem !== undefined) {
    throw new ServerError('INVALID_ARG', `invalid ${what} '${shown(name)}', ${problem}`)
  }
  return name
}

/**
 * Joins `parts` below `base` (already safe; '' is the root of a store). A part may hold several segments
 * (`labels/en.txt`); every one must be a {@link safeName}, so the result cannot leave `base`.
 */
export function safeJoin(base: string, ...parts: readonly string[]): string {
  let path = base
  let depth = 0
  for (const part of parts) {
    for (const segment of part.split('/')) {
      safeName(segment, 'path segment')
      path = path === '' ? segment : `${path}/${segment}`
      if (++depth > MAX_PATH_DEPTH) {
        throw new ServerError(
          'INVALID_ARG',
          `invalid path '${shown(part)}', deeper than ${MAX_PATH_DEPTH} folders`,
        )
      }
    }
  }
  return path
}

function nameProblem(name: string, what: string): string | undefined {
  // A string of n UTF-16 units has at least n UTF-8 bytes: the cheap test spares encoding megabytes.
  if (name.length > MAX_NAME_BYTES || new TextEncoder().encode(name).length > MAX_NAME_BYTES) {
    return `${what} must not be longer than ${MAX_NAME_BYTES} bytes`
  }
  if (UNPRINTABLE.test(name)) return `${what} must not contain control characters`
  const plain = name.normalize('NFKC').trim()
  if (plain === '') return `${what} must not be empty`
  if (plain === '.' || plain === '..' || /[/\\]/.test(plain) || PERCENT_ENCODED.test(plain)) {
    return `${what} must not contain path traversal characters`
  }
  return undefined
}

function shown(name: string): string {
  return name.length > SHOWN_NAME_CHARS ? `${name.slice(0, SHOWN_NAME_CHARS)}…` : name
}
