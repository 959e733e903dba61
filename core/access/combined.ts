import { type Access, ANYBODY, isRefusal, type Principal } from './types.ts'

/**
 * Everybody has to allow a request, asked in order; it counts for the last principal that is somebody. Undefined where
 * there is nobody to ask.
 */
export function combinedAccess(parts: readonly (Access | undefined)[]): Access | undefined {
  const asked = parts.filter((part) => part !== undefined)
  if (asked.length <= 1) return asked[0]
  return {
    authorize(request) {
      let principal: Principal = ANYBODY
      for (const access of asked) {
        const outcome = access.authorize(request)
        if (isRefusal(outcome)) return outcome
        if (outcome !== ANYBODY) principal = outcome
      }
      return principal
    },
  }
}
