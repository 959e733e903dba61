import { headerBlock } from '../http2/hpack/encoder.ts'
import type { HeaderBlock } from '../http2/types.ts'
import { ACCEPTED_CODINGS, type Coding } from './compression.ts'
import { percentEncode } from './metadata.ts'
import { type CallStatus, Status } from './types.ts'

const START = [':status', '200', 'content-type', 'application/grpc'] as const
const TEXT = ['content-type', 'text/plain; charset=utf-8'] as const
const ACCEPTED = ['grpc-accept-encoding', ACCEPTED_CODINGS] as const

/** Header blocks that every call of a server sends; made once. */
export class Responses {
  readonly #heads: Readonly<Record<Coding, HeaderBlock>> = {
    identity: headerBlock([...START, ...ACCEPTED]),
    gzip: headerBlock([...START, 'grpc-encoding', 'gzip', ...ACCEPTED]),
    deflate: headerBlock([...START, 'grpc-encoding', 'deflate', ...ACCEPTED]),
  }
  /** Trailers of a call that went well. */
  readonly ok: HeaderBlock = headerBlock(['grpc-status', '0'])
  readonly methodNotAllowed: HeaderBlock = headerBlock([':status', '405', 'allow', 'POST', ...TEXT])
  readonly unsupportedMediaType: HeaderBlock = headerBlock([':status', '415', ...TEXT])
  /** The body of those two. */
  readonly notGrpc: Uint8Array = new TextEncoder().encode('gRPC is spoken here\n')
  readonly noTrailers: HeaderBlock = headerBlock([])

  head(coding: Coding): HeaderBlock {
    return this.#heads[coding]
  }

  /** Trailers behind a body. */
  trailers(status: CallStatus): HeaderBlock {
    return status.code === Status.OK ? this.ok : headerBlock(statusFields(status))
  }

  /** A whole response without a body. */
  only(status: CallStatus): HeaderBlock {
    return headerBlock([...START, ...ACCEPTED, ...statusFields(status)])
  }
}

function statusFields(status: CallStatus): string[] {
  const fields = ['grpc-status', String(status.code)]
  if (status.message !== '') fields.push('grpc-message', percentEncode(status.message))
  if (status.retryAfterMs !== undefined) {
    fields.push('grpc-retry-pushback-ms', String(Math.ceil(status.retryAfterMs)))
  }
  return fields
}
