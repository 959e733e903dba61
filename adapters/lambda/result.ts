import { STATUS_CODES } from 'node:http'
import { errorBody } from '../../core/protocol/rest/status.ts'
import type { RestResponse } from '../../core/protocol/rest/types.ts'
import { MAX_PAYLOAD_BYTES, PAYLOAD_ROOM_BYTES } from './limits.ts'
import type { HttpEvent, HttpResult } from './types.ts'

/** No browser takes an answer for a page, whatever a client's names in it look like. */
const NO_SNIFFING = { 'X-Content-Type-Options': 'nosniff' }

/** What of an answer can stand in JSON as it is: text that is not packed. */
const TEXT = /^(?:text\/|application\/json)/

export function headersOf({ headers }: RestResponse): Readonly<Record<string, string>> {
  return { ...headers, ...NO_SNIFFING }
}

/** An error of Lambda's surroundings, as every other error looks. */
export function errorAnswer(status: number, message: string): RestResponse {
  const headers = { 'Content-Type': 'application/json' }
  return { status, headers, body: [Buffer.from(errorBody(message))] }
}

/** `reply` for whoever made `event`, whole: with 413 in its place when it is more than Lambda passes on. */
export async function resultOf(reply: RestResponse, event: HttpEvent): Promise<HttpResult> {
  const bytes = await wholeBody(reply)
  const text = TEXT.test(reply.headers['Content-Type'] ?? '') && !isPacked(reply)
  const size = bytes === undefined || text ? bytes?.length : Math.ceil(bytes.length / 3) * 4
  if (bytes === undefined || size === undefined || size > MAX_PAYLOAD_BYTES - PAYLOAD_ROOM_BYTES) {
    const most = `${MAX_PAYLOAD_BYTES} bytes that Lambda passes on at once`
    const message = `the response is more than the ${most}; ask for less, or use a function URL that streams responses`
    return resultOf(errorAnswer(413, message), event)
  }
  const headers = headersOf(reply)
  return {
    statusCode: reply.status,
    ...(event.requestContext?.elb === undefined
      ? {}
      : { statusDescription: `${reply.status} ${STATUS_CODES[reply.status] ?? ''}` }),
    ...(event.multiValueHeaders ? { multiValueHeaders: inLists(headers) } : { headers }),
    body: bytes.toString(text ? 'utf8' : 'base64'),
    isBase64Encoded: !text,
  }
}

function isPacked({ headers }: RestResponse): boolean {
  return headers['Content-Encoding'] !== undefined
}

function inLists(headers: Readonly<Record<string, string>>): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))
}

/** A copy of the body's parts; undefined when there is more than can be passed on. */
async function wholeBody({ body, stream, release }: RestResponse): Promise<Buffer | undefined> {
  if (stream === undefined) {
    const bytes = Buffer.concat(body)
    release?.()
    return bytes
  }
  const parts: Uint8Array[] = []
  let size = 0
  // Leaving the loop cancels the stream.
  for await (const part of stream) {
    size += part.length
    if (size > MAX_PAYLOAD_BYTES) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts)
}
