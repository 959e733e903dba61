import { type ApiCategory, type Operation, ROUTES, type RouteParams } from './routes.ts'

export interface RouteMatch {
  readonly operation: Operation
  readonly category: ApiCategory
  readonly params: RouteParams
}

/** Bytes of a path at most; a longer one is 414. */
export const MAX_PATH_LENGTH = 8192

const TABLE = ROUTES.map((route) => ({ ...route, segments: route.path.split('/').slice(1) }))
const PLAIN = /^[A-Za-z0-9._-]+$/
const DIGITS = /^[0-9]+$/

/**
 * Finds the operation that `method` on `path` asks for, or the HTTP status of the refusal. `path` is undecoded and has
 * no query. Segments are parted first and decoded after, once and strictly, so that an escaped slash never parts them.
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
      return { operation: route.operation, category: route.category, params }
    }
    known = true
    break
  }
  return known ? 405 : 404
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
    const value = decodeSegment(given)
    if (value === null || (expected === ':version' && !DIGITS.test(value))) return null
    params ??= {}
    params[expected.slice(1)] = value
  }
  return params ?? {}
}

/** A path segment as text; null where it is empty, climbs, hides a separator or is no valid escape. */
function decodeSegment(segment: string): string | null {
  if (segment === '' || segment === '.' || segment === '..') return null
  if (PLAIN.test(segment)) return segment
  let text: string
  try {
    text = decodeURIComponent(segment)
  } catch {
    return null
  }
  if (text === '.' || text === '..') return null
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || code === 0x7f || code === 0x2f || code === 0x5c) return null
  }
  return text
}
