import { ServerError } from '../../../core/errors.ts'

/**
 * What the cheap calls need of protobuf: finding a string in a message, and nothing else. Everything larger goes through
 * the generated messages, which are loaded with the first call that needs them.
 */

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5
/** A field's number and wire type fit into 32 bits, so that its varint has at most five bytes. */
const MAX_TAG_BYTES = 5
const MAX_VARINT_BYTES = 10

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The value of the string field `number`, '' where it is absent; the last one counts. Throws INTERNAL for bytes that are
 * no message, and for a field of this number that is no string.
 */
export function stringField(message: Uint8Array, number: number): string {
  let start = 0
  let end = 0
  let at = 0
  while (at < message.length) {
    const tag = tagAt(message, at)
    at = skipVarint(message, at)
    const field = Math.floor(tag / 8)
    const type = tag % 8
    if (field === 0) throw unreadable()
    if (field === number && type !== BYTES) throw unreadable()
    if (type === VARINT) at = skipVarint(message, at)
    else if (type === FIXED64) at += 8
    else if (type === FIXED32) at += 4
    else if (type === BYTES) {
      const length = tagAt(message, at)
      at = skipVarint(message, at)
      if (field === number) {
        start = at
        end = at + length
      }
      at += length
    } else throw unreadable()
  }
  if (at > message.length) throw unreadable()
  return start === end ? '' : text(message.subarray(start, end))
}

function text(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw unreadable()
  }
}

/** The 32-bit varint at `at`: a tag or a length. */
function tagAt(message: Uint8Array, at: number): number {
  let value = 0
  for (let i = 0; i < MAX_TAG_BYTES; i++) {
    const byte = message[at + i]
    if (byte === undefined) throw unreadable()
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) {
      if (value > 0xffff_ffff) break
      return value
    }
  }
  throw unreadable()
}

function skipVarint(message: Uint8Array, at: number): number {
  for (let i = at; i < at + MAX_VARINT_BYTES; i++) {
    const byte = message[i]
    if (byte === undefined) throw unreadable()
    if (byte < 0x80) return i + 1
  }
  throw unreadable()
}

/** What gRPC's own servers say of bytes that are not the message they should be. */
export function unreadable(): ServerError {
  return new ServerError('INTERNAL', 'Unable to parse request')
}
