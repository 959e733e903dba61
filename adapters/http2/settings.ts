import {
  FRAME_HEADER_BYTES,
  FrameType,
  INITIAL_WINDOW,
  MAX_31,
  MAX_MAX_FRAME,
  MIN_MAX_FRAME,
  readU32,
  writeFrameHeader,
  writeU32,
} from './frame.ts'
import { HEADER_TABLE_BYTES, RECEIVE_MAX_FRAME } from './limits.ts'
import { ErrorCode, type Http2Limits } from './types.ts'

const HEADER_TABLE_SIZE = 1
const ENABLE_PUSH = 2
const MAX_CONCURRENT_STREAMS = 3
const INITIAL_WINDOW_SIZE = 4
const MAX_FRAME_SIZE = 5
const MAX_HEADER_LIST_SIZE = 6
const ENTRY_BYTES = 6
/** What a HPACK encoder may use until it is told otherwise (RFC 9113 §6.5.2). */
const DEFAULT_TABLE_BYTES = 4096

/** What the peer said in SETTINGS. */
export class PeerSettings {
  initialWindow: number = INITIAL_WINDOW
  maxFrame: number = MIN_MAX_FRAME
  /** The peer made its table smaller: the next header block must say that we follow (RFC 7541 §4.2). */
  tableShrunk = false

  /** Takes the entries in `bytes[start, end)`; returns an `ErrorCode`, NO_ERROR = fine. */
  apply(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at + ENTRY_BYTES <= end; at += ENTRY_BYTES) {
      const id = ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
      const value = readU32(bytes, at + 2)
      if (id === INITIAL_WINDOW_SIZE) {
        if (value > MAX_31) return ErrorCode.FLOW_CONTROL_ERROR
        this.initialWindow = value
      } else if (id === MAX_FRAME_SIZE) {
        if (value < MIN_MAX_FRAME || value > MAX_MAX_FRAME) return ErrorCode.PROTOCOL_ERROR
        this.maxFrame = value
      } else if (id === ENABLE_PUSH) {
        if (value > 1) return ErrorCode.PROTOCOL_ERROR
      } else if (id === HEADER_TABLE_SIZE) {
        if (value < DEFAULT_TABLE_BYTES) this.tableShrunk = true
      }
    }
    return ErrorCode.NO_ERROR
  }
}

/** The frames a server begins with: SETTINGS, and the connection's window above the initial one. */
export function serverPreface(limits: Http2Limits): Uint8Array {
  const entries = [
    [HEADER_TABLE_SIZE, HEADER_TABLE_BYTES],
    [MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams],
    [INITIAL_WINDOW_SIZE, limits.streamWindow],
    [MAX_FRAME_SIZE, RECEIVE_MAX_FRAME],
    [MAX_HEADER_LIST_SIZE, limits.maxHeaderListBytes],
  ] as const
  const more = limits.connectionWindow - INITIAL_WINDOW
  const payload = entries.length * ENTRY_BYTES
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload + (more > 0 ? 13 : 0))
  let at = writeFrameHeader(bytes, 0, payload, FrameType.SETTINGS, 0, 0)
  for (const [id, value] of entries) {
    bytes[at + 1] = id
    writeU32(bytes, at + 2, value)
    at += ENTRY_BYTES
  }
  if (more > 0) {
    at = writeFrameHeader(bytes, at, 4, FrameType.WINDOW_UPDATE, 0, 0)
    writeU32(bytes, at, more)
  }
  return bytes
}
