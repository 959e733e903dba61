import { invalid } from './json-value.ts'
import type { RestRequest, RestResponse } from './types.ts'

const LENGTH = 'Inference-Header-Content-Length'
/** A size that 32 bits cannot hold has more digits than this. */
const MAX_DIGITS = 10

/**
 * `request` as the infer routes know it, for hosts that pass on no header but the content type: `type` and, right behind it,
 * the length of the JSON part. Such hosts pack nothing, so what is said about encodings is not heard. The infer route throws
 * INVALID_ARG with Triton's texts when the content type is one of those and cannot be used.
 */
export function withTypedBinary(type: string, request: RestRequest): RestRequest {
  return {
    ...request,
    header(name) {
      switch (name) {
        case 'content-encoding':
        case 'accept-encoding':
          return undefined
        case 'inference-header-content-length':
          return jsonLength(type, request.header('content-type'))
        default:
          return request.header(name)
      }
    },
  }
}

/** `reply` of an infer route with the length of its JSON part in its content type. */
export function withTypedLength(type: string, reply: RestResponse): RestResponse {
  const { [LENGTH]: length, ...headers } = reply.headers
  if (length === undefined) return reply
  return { ...reply, headers: { ...headers, 'Content-Type': type + length } }
}

function jsonLength(type: string, given: string | undefined): string | undefined {
  const at = given?.indexOf(type) ?? -1
  if (given === undefined || at < 0) return undefined
  if (at > 0) {
    throw invalid(`expect MIME type for binary data starts with '${type}', got: ${given}`)
  }
  const size = given.slice(type.length)
  if (!/^-?\d+$/.test(size)) throw invalid(`Unable to parse inference header size, got: ${size}`)
  if (size.replace('-', '').length > MAX_DIGITS) {
    throw invalid(`Unable to parse inference header size, value is out of range, got: ${size}`)
  }
  return size
}
