import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerError } from '../../../core/errors.ts'
import type { Clock, Log } from '../../../core/platform.ts'
import type { ProtocolLimits } from '../../../core/protocol/limits.ts'
import type { InferenceServer } from '../../../core/server-types.ts'
import { readBody } from './body.ts'
import { type InferHead, readInferHead } from './head.ts'
import { InferExchange } from './infer-exchange.ts'
import { InferTargets } from './infer-target.ts'
import { writeError } from './reply.ts'
import type { Sockets } from './sockets.ts'

export interface InferRouteOptions {
  readonly server: InferenceServer
  readonly clock: Clock
  readonly log: Log
  readonly limits: ProtocolLimits
}

/**
 * The infer route without Request and Response objects. Returns false for what it leaves to the app: other URLs, other
 * methods, compressed requests or replies, and a header length that is no number.
 */
export function inferRoute(
  options: InferRouteOptions,
  sockets: Sockets,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const { limits } = options
  const targets = new InferTargets()
  const head: InferHead = {
    headerLength: -1,
    contentLength: -1,
    contentEncoding: '',
    acceptEncoding: '',
  }
  const bodyLimits = { maxBytes: limits.bodyBytes, maxChunks: limits.bodyChunks }

  return (request, response) => {
    if (request.method !== 'POST') return false
    const target = targets.find(request.url as string)
    if (target === null) return false
    readInferHead(request.rawHeaders, head)
    if (head.contentEncoding !== '' || head.acceptEncoding !== '') return false
    if (Number.isNaN(head.headerLength)) return false

    const { headerLength, contentLength } = head
    const exchange = new InferExchange(
      options,
      target,
      headerLength,
      sockets.of(request.socket),
      response,
    )
    readBody(request, contentLength, headerLength, bodyLimits, (error, body) => {
      if (error === null) exchange.run(body)
      else refuseBody(request, response, error)
    })
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
