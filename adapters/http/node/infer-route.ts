import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ForwardHeaders } from '../../../core/access/forward-headers.ts'
import {
  type AccessRefusal,
  ANYBODY,
  isRefusal,
  type Principal,
} from '../../../core/access/types.ts'
import type { ServerError } from '../../../core/errors.ts'
import { enterAnnounced, heldAtFirst } from '../../../core/overload/announced.ts'
import type { Gate, Gates } from '../../../core/overload/types.ts'
import type { Log } from '../../../core/platform.ts'
import type { ProtocolLimits } from '../../../core/protocol/limits.ts'
import { authorizeRest } from '../../../core/protocol/rest/admitted.ts'
import type { RestOptions } from '../../../core/protocol/rest/handlers.ts'
import { acceptsEvents } from '../../../core/protocol/rest/infer-events.ts'
import type { RestRequest } from '../../../core/protocol/rest/types.ts'
import type { InferenceServer } from '../../../core/server-types.ts'
import type { Tracer } from '../../../core/trace/types.ts'
import { bodyPool, readBody } from './body.ts'
import { decimal } from './decimal.ts'
import { headerLengthOf, type InferDialect } from './infer-dialect.ts'
import { InferExchange } from './infer-exchange.ts'
import { InferTargets } from './infer-target.ts'
import { writeError } from './reply.ts'
import { ReplyTurn } from './reply-turn.ts'
import type { Connection, Sockets } from './sockets.ts'

export interface InferRouteOptions {
  readonly server: InferenceServer
  readonly log: Log
  readonly limits: ProtocolLimits
  /** The one the app has: asked for each request, because the route is taken before the app sees it. */
  readonly access?: RestOptions['access']
  /** The app's. Default: nothing is counted. */
  readonly gates?: Gates | undefined
  /** The app's. Default: nothing is traced. */
  readonly tracer?: Tracer | undefined
  /** Leave requests that accept events to the app. Default false. */
  readonly inferStream?: RestOptions['inferStream']
  /** Regions that tensors may lie in: the app's. Default: none. */
  readonly sharedMemory?: RestOptions['sharedMemory']
  /** Headers that become parameters: the app's. Default: none. */
  readonly forward?: ForwardHeaders | undefined
  /** Requests of other origins are the app's. Default false. */
  readonly cors?: boolean
  /** What asks in its own way. Default: the REST routes. */
  readonly dialect?: InferDialect | undefined
}

const REFUSAL: unique symbol = Symbol('refusal')
type AskedMessage = IncomingMessage & { [REFUSAL]?: AccessRefusal }

/** Why the infer route did not let `request` in; undefined = it was not asked about it. */
export function refusalOf(request: IncomingMessage): AccessRefusal | undefined {
  return (request as AskedMessage)[REFUSAL]
}

/**
 * The infer route without Request and Response objects. Returns false for what it leaves to the app: other URLs, other
 * methods, compressed requests or replies, a header length that is no number, and what is not allowed.
 */
export function inferRoute(
  options: InferRouteOptions,
  sockets: Sockets,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const { limits, access, tracer, dialect } = options
  const gate: Gate | undefined = options.gates?.inference
  const targets = new InferTargets()
  const { onDemand } = options.server
  const shared = { turn: new ReplyTurn(), pool: bodyPool(), onDemand }
  const bodyLimits = { maxBytes: limits.bodyBytes, maxChunks: limits.bodyChunks }

  return (request, response) => {
    if (request.method !== 'POST') return false
    const url = request.url as string
    const path = dialect === undefined ? url : dialect.path(url, request.headers)
    if (path === null) return false
    const target = targets.find(path)
    if (target === null) return false
    // The app waits for models that are not loaded.
    if (onDemand !== undefined && !onDemand.here(target.name)) return false
    const { headers } = request
    if (options.inferStream === true && acceptsEvents(headers.accept)) return false
    const headerLength = headerLengthOf(headers, dialect)
    if (Number.isNaN(headerLength)) return false
    if (options.cors && headers.origin !== undefined) return false
    const connection = sockets.of(request.socket)
    let principal: Principal = ANYBODY
    if (access !== undefined) {
      const outcome = authorizeRest(access, target.match, unread(request, connection))
      const refusal = isRefusal(outcome) ? outcome : enter(outcome, response)
      if (refusal !== null) {
        ;(request as AskedMessage)[REFUSAL] = refusal
        return false
      }
      principal = outcome as Principal
    }
    const contentLength = decimal(headers['content-length'])
    // One that is too long is refused by its reader, which keeps nothing of it.
    const announced = contentLength > 0 && contentLength <= limits.bodyBytes ? contentLength : 0
    const full = gate === undefined ? null : enterAnnounced(gate, announced)
    if (full !== null) {
      shed(request, response, contentLength, full)
      return true
    }

    // In the turn in which it was there.
    onDemand?.enter(target.name)
    const exchange = new InferExchange(
      options,
      shared,
      target,
      headerLength,
      principal,
      request.rawHeaders,
      connection,
      response,
      heldAtFirst(announced),
    )
    if (tracer?.active === true) exchange.headNs = tracer.now()
    readBody(
      request,
      contentLength,
      headerLength,
      bodyLimits,
      shared.pool,
      exchange,
      (error, body, pooled) => {
        if (error === null) {
          exchange.run(body, pooled)
          return
        }
        exchange.leave()
        refuseBody(request, response, error)
      },
    )
    return true
  }
}

/** More bytes of a refused body than this are not even thrown away: the connection is cut. */
export const DISCARDED_BODY_BYTES: number = 64 * 1024 * 1024

/** Up to this length the body of a request that is shed is read past, and its connection stays open. */
export const SHED_BODY_BYTES: number = 64 * 1024

/** Answers at once. A client that comes again should not need a new connection for it: those cost more than requests. */
function shed(
  request: IncomingMessage,
  response: ServerResponse,
  contentLength: number,
  error: ServerError,
): void {
  if (contentLength < 0 || contentLength > SHED_BODY_BYTES) refuseBody(request, response, error)
  // Node reads past the rest of a request whose response has ended.
  else writeError(response, error)
}

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

/** Takes the principal's place until the response has ended, whichever way. */
function enter(principal: Principal, response: ServerResponse): AccessRefusal | null {
  if (principal.enter === undefined) return null
  const refusal = principal.enter()
  if (refusal === null) response.once('close', () => principal.leave?.())
  return refusal
}

/** `request` as the authorizer sees it; the body is not its business. */
function unread(request: IncomingMessage, connection: Connection): RestRequest {
  return {
    method: 'POST',
    path: request.url as string,
    header(name) {
      const value = request.headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    body: () => Promise.reject(new Error('the body was not read yet')),
    address: request.socket.remoteAddress ?? '',
    certificate: connection.certificate,
  }
}
