import type { Caller } from './types.ts'

const SCHEME = /^(bearer|basic) +([!-~]+) *$/i

/**
 * The key a caller shows: `Authorization: Bearer <key>`, or the password of `Authorization: Basic`. gRPC metadata has the
 * same. '' = a header that holds no key; undefined = none was shown.
 */
export function credentialOf(caller: Caller): string | undefined {
  const header = caller.header('authorization')
  if (header === undefined) return undefined
  const [, scheme = '', value = ''] = SCHEME.exec(header) ?? []
  if (scheme.toLowerCase() !== 'basic') return value
  try {
    const pair = atob(value)
    const colon = pair.indexOf(':')
    return colon < 0 ? '' : pair.slice(colon + 1)
  } catch {
    return ''
  }
}
