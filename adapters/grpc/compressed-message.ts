import type { EncodedMessage } from '../../core/protocol/grpc/types.ts'
import { type Coding, deflate, deflateAtOnce, INLINE_BYTES } from './compression.ts'
import { PREFIX_BYTES, writePrefix } from './message-reader.ts'

/**
 * Makes the pieces to be sent of a message that has room for its prefix. It stays as it is where compression does not make
 * it smaller. `done` is called once, for a small message before this returns; `copied` says that the message's own memory
 * is not read any more.
 */
export function compress(
  message: EncodedMessage,
  coding: Coding,
  done: (parts: readonly Uint8Array[], copied: boolean) => void,
): void {
  const { parts, byteLength } = message
  const [first = new Uint8Array(0), ...rest] = parts
  const settle = (compressed: Uint8Array | null): void => {
    if (compressed === null) {
      writePrefix(first, byteLength)
      done(parts, parts.length === 1)
      return
    }
    const prefix = new Uint8Array(PREFIX_BYTES)
    writePrefix(prefix, compressed.length, 1)
    done([prefix, compressed], true)
  }
  if (coding === 'identity') {
    settle(null)
    return
  }
  const body = [first.subarray(PREFIX_BYTES), ...rest]
  if (byteLength <= INLINE_BYTES) settle(deflateAtOnce(body, byteLength, coding))
  else deflate(body, byteLength, coding, settle)
}
