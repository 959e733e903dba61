import {
  type Access,
  type AccessRefusal,
  ANYBODY,
  isRefusal,
  type Principal,
} from '../../access/types.ts'
import { ServerError } from '../../errors.ts'
import { gateOf } from '../../overload/gate-of.ts'
import { Hold } from '../../overload/hold.ts'
import type { Gates } from '../../overload/types.ts'
import type { ProtocolLimits } from '../limits.ts'
import type { RouteMatch } from './match-route.ts'
import { errorReply, refusedReply } from './replies.ts'
import { whenEnded } from './stream-end.ts'
import type { RestRequest, RestResponse } from './types.ts'

export interface AdmissionOptions {
  readonly limits: ProtocolLimits
  /** Decides on the resolved operation. Default: everything is allowed. */
  readonly access?: Access | undefined
  /** Counts and refuses what is in flight. Default: nothing is counted. */
  readonly gates?: Gates | undefined
  /** Hears of every error that is ours and that the client is told nothing of. */
  readonly onInternalError?: (error: unknown, match: RouteMatch) => void
}

/**
 * Runs `handle` for who may do what `match` says, with a place among the requests in flight, and gives the place back when
 * the answer is made. The one way to an answer for every front end of HTTP. Never rejects: what goes wrong is the answer.
 */
export async function admitted(
  options: AdmissionOptions,
  match: RouteMatch,
  request: RestRequest,
  handle: (request: RestRequest, principal: Principal) => RestResponse | Promise<RestResponse>,
): Promise<RestResponse> {
  try {
    const principal = request.refusal ?? authorizeRest(options.access, match, request)
    if (isRefusal(principal)) return refusedReply(principal)
    const full = principal.enter?.() ?? null
    if (full !== null) return refusedReply(full)
    const hold =
      options.gates === undefined ? undefined : new Hold(gateOf(options.gates, match.operation))
    return await leaving(principal, hold, () => {
      const refused = hold?.enter(declaredBytes(request, options.limits.bodyBytes)) ?? null
      if (refused !== null) throw refused
      if (hold === undefined) return handle(request, principal)
      return handle({ ...request, hold, body: () => request.body(hold) }, principal)
    })
  } catch (error) {
    if (!(error instanceof ServerError) || error.cause !== undefined) {
      options.onInternalError?.(error, match)
    }
    return errorReply(error)
  }
}

/** Asks `access` about a request over HTTP. */
export function authorizeRest(
  access: Access | undefined,
  { operation, params }: RouteMatch,
  { header, address = '', certificate = '' }: RestRequest,
): Principal | AccessRefusal {
  if (access === undefined) return ANYBODY
  const caller = { door: 'http', header, address, certificate } as const
  return access.authorize({ operation, model: params.model ?? '', caller })
}

/** What is known of the body's size; 0 = nothing, or more than `limit`, which is refused when the body is read. */
function declaredBytes({ header }: RestRequest, limit: number): number {
  const declared = Number(header('content-length') ?? 0)
  return declared <= limit ? declared : 0
}

/** Runs `handle` and gives the places of the request back when its answer is made, or when the stream of it has ended. */
async function leaving(
  principal: Principal,
  hold: Hold | undefined,
  handle: () => RestResponse | Promise<RestResponse>,
): Promise<RestResponse> {
  if (principal.leave === undefined && hold === undefined) return handle()
  const leave = (): void => {
    hold?.leave()
    principal.leave?.()
  }
  let reply: RestResponse | undefined
  try {
    reply = await handle()
  } finally {
    if (reply?.stream === undefined) leave()
  }
  return reply.stream === undefined ? reply : { ...reply, stream: whenEnded(reply.stream, leave) }
}
