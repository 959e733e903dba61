import { jsonSyntaxError } from './json-error.ts'
import type { JsonReader } from './json-reader.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * The bytes of a string that has escapes: it begins at `start` and its first escape stands at `firstEscape`. The cursor
 * moves behind the closing quote.
 */
export function readEscapedString(
  reader: JsonReader,
  start: number,
  firstEscape: number,
): Uint8Array {
  const { bytes, end } = reader
  let p = firstEscape
  // An escape never gets longer when it is undone, so the room up to the closing quote is enough.
  let close = p
  while (close < end && bytes[close] !== QUOTE) close += bytes[close] === BACKSLASH ? 2 : 1
  const out = new Uint8Array(Math.min(close, end) - start)
  out.set(bytes.subarray(start, p))
  let at = p - start
  while (p < end) {
    const c = bytes[p] as number
    if (c === QUOTE) {
      reader.pos = p + 1
      return out.subarray(0, at)
    }
    if (c !== BACKSLASH) {
      if (c < 0x20) throw jsonSyntaxError(c === 0 ? 'quote' : 'escape', p)
      out[at++] = c
      p++
      continue
    }
    const simple = p + 1 < end ? unescapeLetter(bytes[p + 1] as number) : -1
    if (simple >= 0) {
      out[at++] = simple
      p += 2
    } else if (p + 1 < end && bytes[p + 1] === 0x75) {
      let code = hex(bytes, p + 2, end, p)
      let length = 6
      if (code >= 0xd800 && code <= 0xdfff) {
        if (code > 0xdbff || bytes[p + 6] !== BACKSLASH || bytes[p + 7] !== 0x75) {
          throw jsonSyntaxError('surrogate', p)
        }
        const low = hex(bytes, p + 8, end, p)
        if (low < 0xdc00 || low > 0xdfff) throw jsonSyntaxError('surrogate', p)
        code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00)
        length = 12
      }
      at = writeUtf8(out, at, code)
      p += length
    } else throw jsonSyntaxError('escape', p)
  }
  throw jsonSyntaxError('quote', end)
}

function hex(bytes: Uint8Array, at: number, end: number, backslash: number): number {
  let code = 0
  for (let i = at; i < at + 4; i++) {
    const c = i < end ? (bytes[i] as number) : 0
    const digit = c >= 0x30 && c <= 0x39 ? c - 0x30 : (c | 0x20) - 0x57
    if (c < 0x30 || digit < 0 || digit > 15 || (c > 0x39 && digit < 10)) {
      throw jsonSyntaxError('hex', backslash)
    }
    code = code * 16 + digit
  }
  return code
}

/** The byte that `\\c` stands for; -1 where it is no escape of one letter. */
function unescapeLetter(c: number): number {
  switch (c) {
    case 0x22:
    case 0x5c:
    case 0x2f:
      return c
    case 0x62:
      return 0x08
    case 0x66:
      return 0x0c
    case 0x6e:
      return 0x0a
    case 0x72:
      return 0x0d
    case 0x74:
      return 0x09
    default:
      return -1
  }
}

/** Writes `code` at `at` and returns the position behind it. */
function writeUtf8(out: Uint8Array, at: number, code: number): number {
  let next = at
  if (code < 0x80) out[next++] = code
  else if (code < 0x800) {
    out[next++] = 0xc0 | (code >> 6)
    out[next++] = 0x80 | (code & 0x3f)
  } else if (code < 0x1_0000) {
    out[next++] = 0xe0 | (code >> 12)
    out[next++] = 0x80 | ((code >> 6) & 0x3f)
    out[next++] = 0x80 | (code & 0x3f)
  } else {
    out[next++] = 0xf0 | (code >> 18)
    out[next++] = 0x80 | ((code >> 12) & 0x3f)
    out[next++] = 0x80 | ((code >> 6) & 0x3f)
    out[next++] = 0x80 | (code & 0x3f)
  }
  return next
}
