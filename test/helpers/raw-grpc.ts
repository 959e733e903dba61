import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2'

export interface RawOutcome {
  readonly httpStatus: number
  readonly headers: Readonly<Record<string, unknown>>
  /** Of the trailers, or of a response that is nothing but headers; '' = none. */
  readonly grpcStatus: string
  readonly grpcMessage: string
  readonly body: Buffer
}

/** One call whose bytes the test writes itself; `chunks` are DATA frames. Resolves when the response has ended. */
export function rawCall(
  session: ClientHttp2Session,
  path: string,
  chunks: readonly Uint8Array[],
  options: { headers?: OutgoingHttpHeaders; end?: boolean } = {},
): Promise<RawOutcome> {
  const call = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...options.headers,
  })
  return new Promise((resolve, reject) => {
    let headers: Record<string, unknown> = {}
    let trailers: Record<string, unknown> = {}
    const body: Buffer[] = []
    call.on('response', (fields) => {
      headers = { ...fields }
    })
    call.on('trailers', (fields) => {
      trailers = { ...fields }
    })
    call.on('data', (chunk: Buffer) => body.push(chunk))
    call.on('error', reject)
    call.on('end', () =>
      resolve({
        httpStatus: Number(headers[':status']),
        headers,
        grpcStatus: String(trailers['grpc-status'] ?? headers['grpc-status'] ?? ''),
        grpcMessage: String(trailers['grpc-message'] ?? headers['grpc-message'] ?? ''),
        body: Buffer.concat(body),
      }),
    )
    for (const chunk of chunks) call.write(chunk)
    if (options.end !== false) call.end()
  })
}

/** A connection to 127.0.0.1 that does not throw when it breaks. */
export function rawSession(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  return session
}
