import type { RouteMatch } from '../../core/protocol/rest/match-route.ts'
import type { RestRequest, RestResponse } from '../../core/protocol/rest/types.ts'
import type { Restriction } from './flag-values.ts'

export type Authorize = (match: RouteMatch, request: RestRequest) => RestResponse | null

/**
 * Triton's `--http-restricted-api`: an API of a restricted group answers only requests with its header. Decided on the
 * operation a request resolved to, never on its URL. Undefined when nothing is restricted.
 */
export function authorizeBy(restrictions: readonly Restriction[]): Authorize | undefined {
  if (restrictions.length === 0) return undefined
  const byApi = new Map(restrictions.flatMap((one) => one.apis.map((api) => [api, one] as const)))
  return (match, request) => {
    const restriction = byApi.get(match.category)
    if (restriction === undefined) return null
    const given = request.header(restriction.key.toLowerCase())
    return given !== undefined && sameText(given, restriction.value) ? null : refuse(restriction)
  }
}

function refuse({ key }: Restriction): RestResponse {
  const error = `This API is restricted, expecting header '${key}'`
  return {
    status: 403,
    headers: { 'Content-Type': 'application/json' },
    body: [new TextEncoder().encode(JSON.stringify({ error }))],
  }
}

/** Takes as long for a near miss as for a far one. */
function sameText(given: string, wanted: string): boolean {
  let difference = given.length ^ wanted.length
  for (let i = 0; i < given.length; i++) {
    difference |= given.charCodeAt(i) ^ wanted.charCodeAt(i % wanted.length)
  }
  return difference === 0
}
