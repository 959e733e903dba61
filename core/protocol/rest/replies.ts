import type { AccessRefusal } from '../../access/types.ts'
import { ServerError } from '../../errors.ts'
import { errorBody, httpStatus } from './status.ts'
import type { RestResponse } from './types.ts'

const encoder = new TextEncoder()
const JSON_HEADERS = { 'Content-Type': 'application/json' }

export function jsonReply(json: string, status = 200): RestResponse {
  return { status, headers: JSON_HEADERS, body: [encoder.encode(json)] }
}

/** 200 without a body, as the repository routes answer. */
export function emptyReply(): RestResponse {
  return { status: 200, headers: JSON_HEADERS, body: [] }
}

/** Health: the status says it all. */
export function healthReply(healthy: boolean): RestResponse {
  return { status: healthy ? 200 : 400, headers: { 'Content-Type': 'text/plain' }, body: [] }
}

function retryAfter({ retryAfterSecs }: ServerError): Record<string, string> | undefined {
  return retryAfterSecs > 0 ? { 'Retry-After': String(retryAfterSecs) } : undefined
}

/** Triton's `{"error":…}` with the status of the error's code; whatever is no ServerError is withheld. */
export function errorReply(
  error: unknown,
  headers?: Readonly<Record<string, string>>,
): RestResponse {
  const known = ServerError.from(error)
  const reply = jsonReply(errorBody(known.message), httpStatus(known.code))
  const retry = retryAfter(known)
  if (headers === undefined && retry === undefined) return reply
  return { ...reply, headers: { ...JSON_HEADERS, ...headers, ...retry } }
}

/** `{"error":…}` for what no handler was reached for. */
export function refusal(status: 404 | 405 | 414): RestResponse {
  const texts = { 404: 'Not Found', 405: 'Method Not Allowed', 414: 'URI Too Long' }
  return jsonReply(errorBody(texts[status]), status)
}

const REFUSED = { restricted: 403, unauthenticated: 401, forbidden: 403, limited: 429 } as const

/** `{"error":…}` for who is not let in. */
export function refusedReply({ kind, message, retryAfterSecs }: AccessRefusal): RestResponse {
  const reply = jsonReply(errorBody(message), REFUSED[kind])
  const headers: Record<string, string> = { ...JSON_HEADERS }
  if (kind === 'unauthenticated') headers['WWW-Authenticate'] = 'Bearer'
  if (retryAfterSecs !== undefined) headers['Retry-After'] = String(retryAfterSecs)
  return { ...reply, headers }
}
