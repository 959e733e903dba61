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
 * The value of the string field `number`, '' where it is absent; the last one counts. Throws for bytes that are no
 * message, and for a field of this number that is no string.
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
    if (field === 0) throw new Error('field number 0')
    if (field === number && type !== BYTES) throw new Error(`field ${number} is no string`)
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
    } else throw new Error(`wire type ${type}`)
  }
  if (at > message.length) throw new Error('truncated message')
  return start === end ? '' : utf8.decode(message.subarray(start, end))
}

/** The 32-bit varint at `at`: a tag or a length. */
function tagAt(message: Uint8Array, at: number): number {
  let value = 0
  for (let i = 0; i < MAX_TAG_BYTES; i++) {
    const byte = message[at + i]
    if (byte === undefined) throw new Error('truncated message')
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) {
      if (value > 0xffff_ffff) break
      return value
    }
  }
  throw new Error('a tag or a length of more than 32 bits')
}

function skipVarint(message: Uint8Array, at: number): number {
  for (let i = at; i < at + MAX_VARINT_BYTES; i++) {
    const byte = message[i]
    if (byte === undefined) throw new Error('truncated message')
    if (byte < 0x80) return i + 1
  }
  throw new Error('a varint of more than 64 bits')
}
