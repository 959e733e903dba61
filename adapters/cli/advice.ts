import type { ServeOptions } from './options.ts'

/** First releases of a line that have this autumn's HTTP/2 and Brotli fixes; lines not named here get none any more. */
const PATCHED: Readonly<Record<number, readonly [minor: number, patch: number]>> = {
  22: [23, 0],
  24: [22, 3],
}
/** Lines from here on were born with them. */
const FIRST_PATCHED_MAJOR = 26

/** What an owner should know about the runtime: a line without security fixes, or a release that lacks some. */
export function runtimeAdvice(nodeVersion: string): string | undefined {
  const [major = 0, minor = 0, patch = 0] = nodeVersion.replace(/^v/, '').split('.').map(Number)
  if (major >= FIRST_PATCHED_MAJOR) return undefined
  const fixed = PATCHED[major]
  if (fixed === undefined) {
    return `Node ${nodeVersion} gets no security fixes any more: run this server on a maintained release (24)`
  }
  if (minor > fixed[0] || (minor === fixed[0] && patch >= fixed[1])) return undefined
  return `Node ${nodeVersion} has known security holes: update it to ${major}.${fixed[0]}.${fixed[1]} or later`
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

/** Model control that anyone on the network can use. */
export function exposureAdvice({ http, modelControlMode }: ServeOptions): string | undefined {
  const guarded = http.restrictions.some(({ apis }) => apis.includes('model-repository'))
  if (!http.enabled || modelControlMode !== 'explicit') return undefined
  if (guarded || LOOPBACK.has(http.address)) return undefined
  return `anyone who reaches ${http.address}:${http.port} can load and unload models: consider --http-restricted-api=model-repository:<key>=<value>`
}
