import { ServerError } from '../errors.ts'
import type { Parameters } from '../infer.ts'
import { NamePattern } from './name-pattern.ts'

/** Request parameters that mean something to the server itself: no header may set them. In lower case. */
export const RESERVED_PARAMETERS: readonly string[] = [
  'sequence_id',
  'sequence_start',
  'sequence_end',
  'priority',
  'timeout',
  'headers',
  'binary_data_output',
]
const RESERVED_PREFIX = 'triton_'
/** Longer names are never forwarded. */
export const MAX_FORWARDED_NAME = 256
/** Names whose match is remembered; clients use few. */
const REMEMBERED_NAMES = 256

/**
 * The parameters that a request's header forwards, `fields` being name, value, name, value, … as they were sent; null where
 * there are none. Of a name that comes twice the last counts. Throws INVALID_ARG for a reserved name.
 */
export type ForwardHeaders = (fields: readonly string[]) => Parameters | null

/**
 * Headers whose names match `pattern` somewhere, in either case unless it says `(?-i)`, as string parameters. Undefined for
 * ''. Throws an Error for a pattern that RE2 would not take or that is not understood here.
 */
export function forwardHeaders(pattern: string): ForwardHeaders | undefined {
  if (pattern === '') return undefined
  const compiled = new NamePattern(pattern)
  const known = new Map<string, boolean>()
  const matches = (name: string): boolean => {
    const before = known.get(name)
    if (before !== undefined) return before
    const now = name.length <= MAX_FORWARDED_NAME && compiled.matches(name)
    if (known.size < REMEMBERED_NAMES) known.set(name, now)
    return now
  }
  return (fields) => {
    let parameters: Map<string, string> | null = null
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] as string
      if (!matches(name)) continue
      if (isReserved(name)) {
        throw new ServerError(
          'INVALID_ARG',
          `Header '${name}' is reserved for Triton usage and cannot be forwarded.`,
        )
      }
      parameters ??= new Map()
      parameters.set(name, fields[i + 1] as string)
    }
    return parameters
  }
}

/** In any case: proxies change the case of names. */
function isReserved(name: string): boolean {
  const lower = name.toLowerCase()
  return lower.startsWith(RESERVED_PREFIX) || RESERVED_PARAMETERS.includes(lower)
}

/** The request's own parameters with the forwarded ones added, which come last and so count. */
export function withForwarded(
  own: Parameters | null,
  forwarded: Parameters | null,
): Parameters | null {
  if (forwarded === null) return own
  return own === null ? forwarded : new Map([...own, ...forwarded])
}
