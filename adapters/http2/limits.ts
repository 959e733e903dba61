import type { Http2Limits, KeepaliveOptions } from './types.ts'

/** The transport's limits where nothing else is said. */
export const DEFAULT_HTTP2_LIMITS: Http2Limits = {
  // Clients of Triton know no limit and keep their calls on one connection; the process's own limit of requests in flight
  // stands behind this one.
  maxConcurrentStreams: 1_024,
  maxHeaderListBytes: 16 * 1024,
  maxHeaderFields: 100,
  // Small messages need no credit; whoever reads large ones gives it when it knows their length.
  streamWindow: 64 * 1024,
  connectionWindow: 4 * 1024 * 1024,
  writeHighWater: 16 * 1024 * 1024,
  // Clients that cancel stay far below; a rapid reset reaches it within milliseconds.
  maxResets: 500,
  resetWindowMs: 30_000,
  // On top of what the bytes of bodies explain (see `Floods`).
  maxIdleFramesPerSecond: 1_000,
  maxConnections: 10_000,
  writeStallMs: 60_000,
  readStallMs: 60_000,
  handshakeMs: 10_000,
}

/** Triton's defaults of its keepalive flags; ages are unlimited. */
export const DEFAULT_KEEPALIVE: KeepaliveOptions = {
  timeMs: 7_200_000,
  timeoutMs: 20_000,
  permitWithoutCalls: false,
  minRecvPingIntervalWithoutDataMs: 300_000,
  maxPingStrikes: 2,
  maxConnectionAgeMs: 0,
  maxConnectionAgeGraceMs: 0,
}

/** SETTINGS_MAX_FRAME_SIZE: the smallest there is, which bounds what a frame that is not a body can make us hold. */
export const RECEIVE_MAX_FRAME: number = 16 * 1024
/** An undecoded header block may be this many times as long as the decoded list may be; what is too large gets a 431. */
export const BLOCK_BYTES_PER_LIST_BYTE = 4
/** CONTINUATION frames of one header block. */
export const MAX_CONTINUATIONS = 64
/** SETTINGS_HEADER_TABLE_SIZE: the default; a larger table would be memory in the hands of the peer. */
export const HEADER_TABLE_BYTES = 4096
/** Closed streams that a connection remembers, to tell late frames from wrong ones. */
export const REMEMBERED_STREAMS = 256
/** Answers to control frames that wait behind a write; more is a peer that sends and does not read. */
export const MAX_QUEUED_CONTROL_BYTES: number = 256 * 1024
/** A body that the peer is allowed to send must come this fast over each `readStallMs`. */
export const MIN_BODY_BYTES_PER_SECOND = 1024
/** How long a connection that was told to go stays readable, so that the peer gets to see why. */
export const LINGER_MS = 1_000
/** What is read and dropped meanwhile. */
export const LINGER_BYTES: number = 4 * 1024 * 1024
