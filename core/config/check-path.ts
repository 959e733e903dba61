import { ServerError } from '../errors.ts'

/** Longest path a config may name, in UTF-16 units. */
export const MAX_CONFIG_PATH = 1024

/** Longest part between slashes: what file systems take. */
const MAX_PATH_SEGMENT = 255

/**
 * Throws INVALID_ARG unless `path`, the value of `what`, is relative, stays below the folder it belongs to and has one spelling: no
 * empty, `.` or `..` parts, no backslash, colon (drives, URLs) or control characters, no percent escapes of those.
 */
export function checkRelativePath(path: string, what: string): void {
  const problem = pathProblem(path)
  if (problem === undefined) return
  const shown = JSON.stringify(path.length > 80 ? `${path.slice(0, 80)}…` : path)
  throw new ServerError('INVALID_ARG', `${what} ${shown} ${problem}`)
}

/** What is wrong with `path`; `undefined` where nothing is. */
export function pathProblem(path: string): string | undefined {
  if (path === '') return 'must not be empty'
  if (path.length > MAX_CONFIG_PATH) return `is longer than ${MAX_CONFIG_PATH} characters`
  if (path.startsWith('/')) return 'must be relative'
  // Line separators and direction marks forge log lines and names as well as control characters do.
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(path)) return 'contains a control character'
  if (/[\\:]/.test(path)) return `contains '${path.includes('\\') ? '\\' : ':'}'`
  if (/%(?:2e|2f|5c|00|25)/i.test(path)) return 'contains a percent escape'
  for (const segment of path.split('/')) {
    if (segment === '') return 'has an empty part'
    if (segment === '.' || segment === '..') return `must not contain '${segment}'`
    if (segment.trim() !== segment) return 'has a part that begins or ends with a space'
    if (segment.length > MAX_PATH_SEGMENT) {
      return `has a part longer than ${MAX_PATH_SEGMENT} characters`
    }
  }
  return undefined
}
