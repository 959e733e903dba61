import { matchRoute } from '../../core/protocol/rest/match-route.ts'
import type { RestOperation } from '../../core/protocol/rest/routes.ts'

/**
 * What a redirect may reach, by the method its route has. `blocked`: changes something, so that it needs the REST port;
 * `none`: is not reached either way. A new operation does not compile without one.
 */
const REDIRECTS: Readonly<Record<RestOperation, 'GET' | 'POST' | 'blocked' | 'none'>> = {
  'server-live': 'GET',
  'server-ready': 'GET',
  'server-metadata': 'GET',
  'model-ready': 'GET',
  'model-metadata': 'GET',
  'model-config': 'GET',
  'model-stats': 'GET',
  infer: 'POST',
  generate: 'none',
  'generate-stream': 'none',
  'trace-setting': 'none',
  logging: 'none',
  'repository-index': 'POST',
  'model-load': 'blocked',
  'model-unload': 'blocked',
  'model-traffic': 'none',
  'system-shm-status': 'GET',
  'system-shm-register': 'blocked',
  'system-shm-unregister': 'blocked',
  'cuda-shm-status': 'GET',
  'cuda-shm-register': 'blocked',
  'cuda-shm-unregister': 'blocked',
}

export interface Redirect {
  readonly operation: RestOperation
  readonly path: string
  readonly method: 'GET' | 'POST'
}

/** The REST request that `value` of the redirect header means, else the status of the refusal. */
export function redirectOf(value: string): Redirect | 400 | 403 {
  const path = `/${value}`
  for (const method of ['GET', 'POST'] as const) {
    const match = matchRoute(method, path)
    if (typeof match === 'number') continue
    const { operation } = match
    const allowed = REDIRECTS[operation]
    if (allowed === 'blocked') return 403
    if (allowed === method) return { operation, path, method }
  }
  return 400
}
