import { type RestOperation, ROUTES, type RouteParams } from './routes.ts'

export interface RouteMatch {
  readonly operation: RestOperation
  readonly params: RouteParams
}

/** Bytes of a path at most; a longer one is 414. */
export const MAX_PATH_LENGTH = 8192

const TABLE = ROUTES.map((route) => ({ ...route, segments: route.path.split('/').slice(1) }))
const DIGITS = /^[0-9]+$/

/**
 * Finds the operation that `method` on `path` asks for, or the HTTP status of the refusal. `path` is as it was sent, but
 * for the query. Nothing in it is ever decoded: like Triton, `%2f` in a name is three characters of that name.
 */
export function matchRoute(method: string, path: string): RouteMatch | 404 | 405 | 414 {
  if (path.length > MAX_PATH_LENGTH) return 414
  const segments = path.split('/').slice(1)
  let known = false
  for (const route of TABLE) {
    if (route.segments.length !== segments.length) continue
    const params = matchSegments(route.segments, segments)
    if (params === null) continue
    if (route.methods.includes(method)) {
      return { operation: route.operation, params }
    }
    known = true
    break
  }
  return known ? 405 : 404
}

/** Names are taken literally; only what a file system or a URL would take for more than a name is none. */
function isName(segment: string): boolean {
  return segment !== '' && segment !== '.' && segment !== '..' && !segment.includes('\\')
}

function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | null {
  let params: Record<string, string> | null = null
  for (let i = 0; i < pattern.length; i++) {
    const expected = pattern[i] as string
    const given = segments[i] as string
    if (!expected.startsWith(':')) {
      if (expected !== given) return null
      continue
    }
    if (!isName(given) || (expected === ':version' && !DIGITS.test(given))) return null
    params ??= {}
    params[expected.slice(1)] = given
  }
  return params ?? {}
}
