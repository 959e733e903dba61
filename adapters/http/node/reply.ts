import type { ServerResponse } from 'node:http'
import type { ServerError } from '../../../core/errors.ts'
import { errorBody, httpStatus } from '../../../core/protocol/rest/status.ts'
import type { EncodedResponse } from '../../../core/protocol/rest/types.ts'
import type { Tensor } from '../../../core/tensor.ts'
import type { ReplyTemplate } from './header-memo.ts'
import type { InferDialect } from './infer-dialect.ts'

/** Replies up to this size are copied into one buffer, so that head and body leave in one write. */
export const JOINED_REPLY_BYTES: number = 64 * 1024

/**
 * Writes `{"id":"…",` and the template, then `outputs`, those that go into the reply. `id` needs no escape (see splitId). `release` is called when
 * the outputs were written.
 */
export function writeTemplate(
  response: ServerResponse,
  template: ReplyTemplate,
  id: string,
  outputs: readonly Tensor[],
  release: (() => void) | undefined,
  dialect?: InferDialect,
): void {
  const { json, tailBytes } = template
  const jsonBytes = id === '' ? json.length : json.length + id.length + 8
  const total = jsonBytes + tailBytes
  response.writeHead(200, headOf(jsonBytes, total, dialect))
  const joined = total <= JOINED_REPLY_BYTES
  const head = Buffer.allocUnsafe(joined ? total : jsonBytes)
  if (id === '') {
    head.set(json, 0)
  } else {
    head.write(`{"id":"${id}",`, 0, 'latin1')
    head.set(json.subarray(1), id.length + 9)
  }
  if (!joined) {
    response.write(head)
    for (const output of outputs) if (output.data.length > 0) response.write(output.data)
    finish(response, release)
    return
  }
  let at = jsonBytes
  for (let i = 0; i < outputs.length; i++) {
    const { data } = outputs[i] as Tensor
    head.set(data, at)
    at += data.length
  }
  response.end(head)
  release?.()
}

/** The fields of a reply of `total` bytes that start with `jsonBytes` bytes of JSON. */
function headOf(jsonBytes: number, total: number, dialect: InferDialect | undefined): string[] {
  if (jsonBytes === total)
    return ['Content-Type', 'application/json', 'Content-Length', String(total)]
  if (dialect?.typesReplies === true) {
    return ['Content-Type', dialect.binaryType + jsonBytes, 'Content-Length', String(total)]
  }
  return [
    'Content-Type',
    'application/octet-stream',
    'Inference-Header-Content-Length',
    String(jsonBytes),
    'Content-Length',
    String(total),
  ]
}

/** Writes an encoded infer response, uncompressed. */
export function writeEncoded(
  response: ServerResponse,
  encoded: EncodedResponse,
  release: (() => void) | undefined,
  dialect?: InferDialect,
): void {
  const { json, tails } = encoded
  let total = json.length
  for (const tail of tails) total += tail.length
  response.writeHead(200, headOf(json.length, total, dialect))
  if (tails.length === 0) {
    response.end(json)
    release?.()
    return
  }
  response.write(json)
  for (const tail of tails) if (tail.length > 0) response.write(tail)
  finish(response, release)
}

/** Ends the response; memory behind it may be used again once the socket took the last byte. */
function finish(response: ServerResponse, release: (() => void) | undefined): void {
  if (release === undefined) response.end()
  else response.end(release)
}

export function writeJson(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(Buffer.byteLength(body)),
  ])
  response.end(body)
}

/** Triton's `{"error": …}` with the status of the error's code, or the one that a dialect has for it. */
export function writeError(
  response: ServerResponse,
  error: ServerError,
  dialect?: InferDialect,
): void {
  if (error.retryAfterSecs > 0) response.setHeader('Retry-After', String(error.retryAfterSecs))
  const status = dialect === undefined ? httpStatus(error.code) : dialect.status(error)
  writeJson(response, status, errorBody(error.message))
}
