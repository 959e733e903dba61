import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2'

const PREFIX_BYTES = 5

/** How a call ended. */
export interface GrpcEnd {
  /** grpc-status; -1 when the stream or its connection ended without one. */
  readonly code: number
  readonly text: string
  /** HTTP/2 error code of the stream. */
  readonly reset: number
}

export interface CallOptions {
  readonly path: string
  /** Told to the server only: it is the one that has to keep it. */
  readonly timeoutMs?: number
  onMessage(message: Buffer): void
}

/** One call over a connection of Node's, with hand-made frames. */
export class GrpcCall {
  /** Resolves when the stream is closed, for whatever reason. */
  readonly ended: Promise<GrpcEnd>
  readonly #stream: ClientHttp2Stream
  #held: Buffer = Buffer.alloc(0)

  constructor(session: ClientHttp2Session, { path, timeoutMs, onMessage }: CallOptions) {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(timeoutMs === undefined ? {} : { 'grpc-timeout': `${Math.ceil(timeoutMs)}m` }),
    })
    this.#stream = stream
    let end: IncomingHttpHeaders = {}
    const keep = (headers: IncomingHttpHeaders): void => {
      if (headers['grpc-status'] !== undefined) end = headers
    }
    stream.on('response', keep)
    stream.on('trailers', keep)
    stream.on('data', (chunk: Buffer) => this.#received(chunk, onMessage))
    let problem = ''
    stream.on('error', (error) => {
      problem = error.message
    })
    this.ended = new Promise((resolve) => {
      stream.on('close', () => {
        const reset = stream.rstCode ?? 0
        const text = end['grpc-message']
        resolve({
          code: Number(end['grpc-status'] ?? -1),
          text: text === undefined ? problem : decodeURIComponent(String(text)),
          reset,
        })
      })
    })
  }

  /** False when the message could not be written any more. */
  send(message: Uint8Array): boolean {
    if (this.#stream.destroyed || this.#stream.writableEnded) return false
    this.#stream.write(framed(message))
    return true
  }

  end(): void {
    this.#stream.end()
  }

  /** One message and the end of the request, in one frame. */
  only(message: Uint8Array): void {
    this.#stream.end(framed(message))
  }

  /** Bytes that are no whole message. */
  part(bytes: Uint8Array): void {
    if (!this.#stream.destroyed) this.#stream.write(bytes)
  }

  /** RST_STREAM. */
  cancel(): void {
    this.#stream.close(constants.NGHTTP2_CANCEL)
  }

  #received(chunk: Buffer, onMessage: (message: Buffer) => void): void {
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    while (bytes.length >= PREFIX_BYTES) {
      const size = PREFIX_BYTES + bytes.readUInt32BE(1)
      if (bytes.length < size) break
      onMessage(bytes.subarray(PREFIX_BYTES, size))
      bytes = bytes.subarray(size)
    }
    this.#held = bytes
  }
}

/** A connection that is made again when the server ended it. */
export class GrpcConnection {
  /** GOAWAYs without an error that came so far. */
  goaways = 0
  /** Set when the last attempt to connect was refused. */
  refused = false
  readonly #url: string
  #session: ClientHttp2Session | null = null

  constructor(port: number) {
    this.#url = `http://127.0.0.1:${port}`
  }

  call(options: CallOptions): GrpcCall {
    return new GrpcCall(this.#connected(), options)
  }

  /** Cuts the connection, with all its calls. */
  cut(): void {
    this.#session?.destroy()
    this.#session = null
  }

  #connected(): ClientHttp2Session {
    if (this.#session !== null) return this.#session
    const session = connect(this.#url)
    this.#session = session
    const drop = (): void => {
      if (this.#session === session) this.#session = null
    }
    session.on('connect', () => {
      this.refused = false
    })
    session.on('goaway', (code) => {
      if (code === 0) this.goaways++
      drop()
    })
    session.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') this.refused = true
    })
    session.on('close', drop)
    return session
  }
}

function framed(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + message.length)
  bytes[0] = 0
  bytes.writeUInt32BE(message.length, 1)
  bytes.set(message, PREFIX_BYTES)
  return bytes
}
