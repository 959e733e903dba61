/** Frames as RFC 9113 §4 and §6 have them; numbers are big-endian. */
export const FRAME_HEADER_BYTES = 9

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const

export const Flag = {
  END_STREAM: 0x1,
  ACK: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const

/** What a client sends before its first frame. */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** Largest flow-control window and stream identifier. */
export const MAX_31 = 0x7fffffff
/** Windows of connections, and of streams until SETTINGS say otherwise. */
export const INITIAL_WINDOW = 65_535
/** SETTINGS_MAX_FRAME_SIZE: what every peer takes, and the most that may be announced. */
export const MIN_MAX_FRAME = 16_384
export const MAX_MAX_FRAME = 16_777_215

export function readU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) * 0x1000000 +
      (((bytes[at + 1] as number) << 16) |
        ((bytes[at + 2] as number) << 8) |
        (bytes[at + 3] as number))) >>>
    0
  )
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** Writes the nine octets before a payload at `at`; returns where the payload begins. */
export function writeFrameHeader(
  bytes: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  id: number,
): number {
  bytes[at] = length >>> 16
  bytes[at + 1] = length >>> 8
  bytes[at + 2] = length
  bytes[at + 3] = type
  bytes[at + 4] = flags
  writeU32(bytes, at + 5, id)
  return at + FRAME_HEADER_BYTES
}
