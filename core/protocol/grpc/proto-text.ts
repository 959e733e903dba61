import { ProtoError } from './proto-error.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** Texts up to this many bytes are put together here; a decoder costs more than it saves on them. */
const SHORT_TEXT_BYTES = 48

/** `bytes[from, to)` as text. Throws ProtoError when it is not UTF-8, as protobuf's own parsers refuse it. */
export function readText(bytes: Uint8Array, from: number, to: number): string {
  if (to - from <= SHORT_TEXT_BYTES) {
    let text = ''
    let at = from
    while (at < to) {
      const byte = bytes[at] as number
      if (byte > 0x7f) break
      text += String.fromCharCode(byte)
      at++
    }
    if (at === to) return text
  }
  try {
    return decoder.decode(bytes.subarray(from, to))
  } catch {
    throw new ProtoError('string is not valid UTF-8')
  }
}

/** Bytes that {@link writeText} needs. */
export function textSize(text: string): number {
  let size = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) continue
    if (code < 0x800) size++
    else {
      size += 2
      // A pair is four bytes in all; half a pair is written as U+FFFD, three bytes.
      if (code >= 0xd800 && code < 0xdc00) {
        const next = text.charCodeAt(i + 1)
        if (next >= 0xdc00 && next < 0xe000) i++
      }
    }
  }
  return size
}

/** Writes `text`, which takes `size` bytes, at `at`; returns where it ends. */
export function writeText(bytes: Uint8Array, at: number, text: string, size: number): number {
  if (size === text.length) {
    for (let i = 0; i < size; i++) bytes[at + i] = text.charCodeAt(i)
  } else {
    encoder.encodeInto(text, bytes.subarray(at, at + size))
  }
  return at + size
}
