/** A header block as it goes out; made once by `headerBlock` and sent any number of times. */
export interface HeaderBlock {
  /** Name, value, name, value, …; names in lower case. */
  readonly fields: readonly string[]
  /** HPACK without the dynamic table, so that it is right on every connection. */
  readonly encoded: Uint8Array
}

/**
 * A request's header. While a connection repeats a block, the same object comes again, so that a handler may keep what it
 * made of it in `memo`.
 */
export interface RequestHead {
  readonly method: string
  readonly scheme: string
  readonly path: string
  readonly authority: string
  /** Regular fields as sent: name, value, name, value, …; names in lower case. */
  readonly fields: readonly string[]
  /** The values of `name` joined by `, `. */
  get(name: string): string | undefined
  memo: unknown
}

/** What is known of the peer of a connection. */
export interface PeerInfo {
  readonly address: string
  readonly tls: boolean
  /** Subject (or SAN URI) of a verified client certificate; '' = none. */
  readonly certificate: string
}

/** HTTP/2 error codes (RFC 9113 §7). */
export const ErrorCode = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const

/** What the application does with the body of one request. */
export interface StreamHandler {
  /**
   * A piece of the body: a view on memory that is never used again, so it may be kept. `end` is true with the last one,
   * which may be empty. The peer may send more only as {@link ServerStream.credit} allows.
   */
  data(chunk: Uint8Array, end: boolean): void
  /** The peer reset the stream or the connection is gone: nothing comes any more and nothing can be sent. Called once. */
  aborted(): void
  /** What waited to be sent fell below the mark after a write had returned false. */
  writable?(): void
  /**
   * Silence of the peer is no fault: a stream of messages, or one that waits between them. Read whenever a body seems to
   * stall; absent = `readStallMs` applies.
   */
  readonly mayIdle?: boolean
}

/** One request and its response. Calls after the end of the stream do nothing. */
export interface ServerStream {
  readonly id: number
  readonly head: RequestHead
  readonly peer: PeerInfo
  /** Response headers; `end` makes it the whole response (trailers-only). */
  headers(block: HeaderBlock, end: boolean): void
  /**
   * Sends a piece of the body; the bytes must not change until `release` is called, which happens when they were written
   * or never will be. Returns false when more than the high-water mark waits: go on after `writable`.
   */
  data(bytes: Uint8Array, release?: () => void): boolean
  /** Ends the response with trailers. */
  trailers(block: HeaderBlock): void
  /** Headers, body and trailers at once: the shortest way for a unary answer. */
  answer(
    head: HeaderBlock,
    body: readonly Uint8Array[],
    trailers: HeaderBlock,
    release?: () => void,
  ): void
  /** Ends the stream with RST_STREAM (an `ErrorCode`). */
  reset(code: number): void
  /** Lets the peer send `bytes` more of the body. The connection's own window follows by itself. */
  credit(bytes: number): void
  /** Bytes handed over and not yet taken by the socket. */
  readonly unsent: number
}

/** Limits of the transport; every one has a flag or is named here with its reason. */
export interface Http2Limits {
  /** Concurrent streams of a connection (`--grpc-max-concurrent-streams`). */
  readonly maxConcurrentStreams: number
  /** Bytes of a decoded header list, name + value + 32 each (RFC 9113 §6.5.2). */
  readonly maxHeaderListBytes: number
  /** Fields of a header list. */
  readonly maxHeaderFields: number
  /** Receive window of a stream before its handler gives credit. */
  readonly streamWindow: number
  /** Receive window of a connection. */
  readonly connectionWindow: number
  /** Bytes that may wait unsent on a stream before writes return false. */
  readonly writeHighWater: number
  /**
   * Resets by the peer in `resetWindowMs` before the connection is closed with ENHANCE_YOUR_CALM, unless more of its streams
   * ended otherwise.
   */
  readonly maxResets: number
  readonly resetWindowMs: number
  /** PING, SETTINGS, PRIORITY, empty DATA and WINDOW_UPDATE frames without any progress of a stream, per second. */
  readonly maxIdleFramesPerSecond: number
  /** Connections (`--max-connections`). */
  readonly maxConnections: number
  /** A peer that takes nothing of what waits for it for this long is cut (`--write-stall-timeout`). */
  readonly writeStallMs: number
  /** A body or a header block that makes no progress for this long is reset. */
  readonly readStallMs: number
  /** From accept to the end of the preface and SETTINGS. */
  readonly handshakeMs: number
}

/** Triton's keepalive and connection age flags, milliseconds (gRPC's channel arguments of the same names). */
export interface KeepaliveOptions {
  readonly timeMs: number
  readonly timeoutMs: number
  readonly permitWithoutCalls: boolean
  readonly minRecvPingIntervalWithoutDataMs: number
  readonly maxPingStrikes: number
  /** 0 = unlimited. */
  readonly maxConnectionAgeMs: number
  readonly maxConnectionAgeGraceMs: number
}

export interface TlsMaterial {
  readonly cert: Uint8Array | string
  readonly key: Uint8Array | string
  /** Set: clients must present a certificate that this verifies. */
  readonly clientCa?: Uint8Array | string
}

export interface Http2ServerOptions {
  readonly address: string
  /** 0 = any free port. */
  readonly port: number
  readonly reusePort?: boolean
  readonly limits?: Partial<Http2Limits>
  readonly keepalive?: Partial<KeepaliveOptions>
  readonly tls?: TlsMaterial
  /** Takes a new stream and returns what gets its body. Called in the turn its header came; must not throw. */
  readonly onStream: (stream: ServerStream, hasBody: boolean) => StreamHandler
  readonly log: { warning(message: string): void; error(message: string): void }
}

/** What both transports, our own and the reference on `node:http2`, are. */
export interface Http2Server {
  readonly port: number
  readonly connections: number
  /** Streams that are open now. */
  readonly streams: number
  /** New certificate for new connections; throws when the pair is not usable. */
  setTls(tls: TlsMaterial): void
  /** GOAWAY, lets open streams end, then closes; what is left after `timeoutMs` is cut. Idempotent. */
  close(timeoutMs: number): Promise<void>
}

export type StartHttp2 = (options: Http2ServerOptions) => Promise<Http2Server>
