import type { IncomingMessage, ServerResponse } from 'node:http'
import { isRefusal } from '../../../core/access/types.ts'
import type { ServerError } from '../../../core/errors.ts'
import type { Log } from '../../../core/platform.ts'
import type { ProtocolLimits } from '../../../core/protocol/limits.ts'
import { authorizeRest, type RestOptions } from '../../../core/protocol/rest/handlers.ts'
import type { RestRequest } from '../../../core/protocol/rest/types.ts'
import type { InferenceServer } from '../../../core/server-types.ts'
import { readBody } from './body.ts'
import { BodyPool } from './body-pool.ts'
import { decimal } from './decimal.ts'
import { InferExchange } from './infer-exchange.ts'
import { InferTargets } from './infer-target.ts'
import { writeError } from './reply.ts'
import { ReplyTurn } from './reply-turn.ts'
import type { Sockets } from './sockets.ts'

export interface InferRouteOptions {
  readonly server: InferenceServer
  readonly log: Log
  readonly limits: ProtocolLimits
  /** The one the app has: asked for each request, because the route is taken before the app sees it. */
  readonly access?: RestOptions['access']
  /** Regions that tensors may lie in: the app's. Default: none. */
  readonly sharedMemory?: RestOptions['sharedMemory']
}

/**
 * The infer route without Request and Response objects. Returns false for what it leaves to the app: other URLs, other
 * methods, compressed requests or replies, a header length that is no number, and what is not allowed.
 */
export function inferRoute(
  options: InferRouteOptions,
  sockets: Sockets,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const { limits, access } = options
  const targets = new InferTargets()
  const shared = { turn: new ReplyTurn(), pool: new BodyPool() }
  const bodyLimits = { maxBytes: limits.bodyBytes, maxChunks: limits.bodyChunks }

  return (request, response) => {
    if (request.method !== 'POST') return false
    const target = targets.find(request.url as string)
    if (target === null) return false
    const { headers } = request
    if (headers['content-encoding'] !== undefined || headers['accept-encoding'] !== undefined) {
      return false
    }
    const headerLength = decimal(headers['inference-header-content-length'] as string | undefined)
    if (Number.isNaN(headerLength)) return false
    let owner = ''
    if (access !== undefined) {
      const principal = authorizeRest(access, target.match, unread(request))
      if (isRefusal(principal)) return false
      owner = principal.id
    }
    const contentLength = decimal(headers['content-length'])

    const exchange = new InferExchange(
      options,
      shared,
      target,
      headerLength,
      owner,
      sockets.of(request.socket),
      response,
    )
    readBody(
      request,
      contentLength,
      headerLength,
      bodyLimits,
      shared.pool,
      (error, body, pooled) => {
        if (error === null) exchange.run(body, pooled)
        else refuseBody(request, response, error)
      },
    )
    return true
  }
}

/** More bytes of a refused body than this are not even thrown away: the connection is cut. */
export const DISCARDED_BODY_BYTES: number = 64 * 1024 * 1024

/** Answers at once and throws the rest of the body away, so that the client gets to read the answer. */
function refuseBody(request: IncomingMessage, response: ServerResponse, error: ServerError): void {
  response.shouldKeepAlive = false
  let discarded = 0
  request.on('data', (chunk: Buffer) => {
    discarded += chunk.length
    if (discarded > DISCARDED_BODY_BYTES) request.socket.destroy()
  })
  writeError(response, error)
}

/** `request` as the authorizer sees it; the body is not its business. */
function unread(request: IncomingMessage): RestRequest {
  return {
    method: 'POST',
    path: request.url as string,
    header(name) {
      const value = request.headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    body: () => Promise.reject(new Error('the body was not read yet')),
    address: request.socket.remoteAddress ?? '',
  }
}
