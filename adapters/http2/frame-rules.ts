import { Flag, FrameType } from './frame.ts'
import type { HeaderAssembly } from './header-assembly.ts'
import { RECEIVE_MAX_FRAME } from './limits.ts'
import { ErrorCode } from './types.ts'

/** The frame may be read. */
export const FINE = -1

/** What a frame's header alone is enough to end a connection for: an `ErrorCode`, or {@link FINE}. */
export function frameError(
  length: number,
  type: number,
  flags: number,
  id: number,
  blocks: HeaderAssembly,
): number {
  if (length > RECEIVE_MAX_FRAME) return ErrorCode.FRAME_SIZE_ERROR
  if (blocks.id !== 0 && (type !== FrameType.CONTINUATION || id !== blocks.id)) {
    return ErrorCode.PROTOCOL_ERROR
  }
  switch (type) {
    case FrameType.HEADERS:
      if ((id & 1) === 0) return ErrorCode.PROTOCOL_ERROR
      return blocks.fits(length) ? FINE : ErrorCode.ENHANCE_YOUR_CALM
    case FrameType.CONTINUATION:
      if (blocks.id === 0) return ErrorCode.PROTOCOL_ERROR
      return blocks.fits(length) ? FINE : ErrorCode.ENHANCE_YOUR_CALM
    case FrameType.PRIORITY:
      return id === 0 ? ErrorCode.PROTOCOL_ERROR : FINE
    case FrameType.RST_STREAM:
    case FrameType.WINDOW_UPDATE:
      return length === 4 ? FINE : ErrorCode.FRAME_SIZE_ERROR
    case FrameType.SETTINGS:
      if (id !== 0) return ErrorCode.PROTOCOL_ERROR
      if ((flags & Flag.ACK) !== 0) return length === 0 ? FINE : ErrorCode.FRAME_SIZE_ERROR
      return length % 6 === 0 ? FINE : ErrorCode.FRAME_SIZE_ERROR
    case FrameType.PING:
      if (id !== 0) return ErrorCode.PROTOCOL_ERROR
      return length === 8 ? FINE : ErrorCode.FRAME_SIZE_ERROR
    case FrameType.GOAWAY:
      if (id !== 0) return ErrorCode.PROTOCOL_ERROR
      return length >= 8 ? FINE : ErrorCode.FRAME_SIZE_ERROR
    case FrameType.PUSH_PROMISE:
      return ErrorCode.PROTOCOL_ERROR
    default:
      return FINE
  }
}
