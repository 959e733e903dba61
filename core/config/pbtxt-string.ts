import type { ServerError } from '../errors.ts'

/** A string literal's value: text, or the bytes of its UTF-8 where escapes name single bytes. */
export type TextLiteral = string | Uint8Array

type Failure = (offset: number, problem: string) => ServerError

const SIMPLE: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  '"': 34,
  "'": 39,
  '?': 63,
  '\\': 92,
}
const ESCAPE =
  /\\(?:[0-7]{1,3}|[xX][0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[abtnvfr"'?\\])/y

/** Reads the literal whose opening quote stands at `start`; `end` is the offset after its closing quote. */
export function readString(
  text: string,
  start: number,
  fail: Failure,
): { literal: TextLiteral; end: number } {
  const quote = text[start] as string
  const stop = quote === '"' ? /["\\\n\0]/g : /['\\\n\0]/g
  const parts: TextLiteral[] = []
  let from = start + 1
  for (;;) {
    stop.lastIndex = from
    const at = stop.exec(text)?.index ?? text.length
    if (at > from) parts.push(text.slice(from, at))
    const char = text[at]
    if (char === quote) return { literal: joinLiterals(parts), end: at + 1 }
    if (char === undefined || char === '\n') throw fail(start, 'string is not closed on its line')
    if (char === '\0') throw fail(at, 'string contains a NUL character')
    ESCAPE.lastIndex = at
    const escaped = ESCAPE.exec(text)?.[0]
    const value = escaped === undefined ? undefined : escapeValue(escaped)
    if (escaped === undefined || value === undefined) {
      throw fail(at, `invalid escape ${JSON.stringify(text.slice(at, at + 2))} in string`)
    }
    parts.push(value)
    from = at + escaped.length
  }
}

/** Adjacent literals are one string. The result is bytes only where a part is. */
export function joinLiterals(parts: readonly TextLiteral[]): TextLiteral {
  if (parts.every((part) => typeof part === 'string')) return parts.join('')
  const encoder = new TextEncoder()
  const chunks = parts.map((part) => (typeof part === 'string' ? encoder.encode(part) : part))
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

/** The text of a literal; `undefined` where its bytes are no UTF-8. */
export function literalText(literal: TextLiteral): string | undefined {
  if (typeof literal === 'string') return literal
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(literal)
  } catch {
    return undefined
  }
}

/** `undefined` for code points that do not exist. */
function escapeValue(escaped: string): TextLiteral | undefined {
  const kind = escaped[1] as string
  if (kind === 'u' || kind === 'U') {
    const code = Number.parseInt(escaped.slice(2), 16)
    const surrogate = code >= 0xd800 && code <= 0xdfff
    return surrogate || code > 0x10ffff ? undefined : String.fromCodePoint(code)
  }
  const simple = SIMPLE[kind]
  const byte =
    simple ??
    (kind === 'x' || kind === 'X'
      ? Number.parseInt(escaped.slice(2), 16)
      : Number.parseInt(escaped.slice(1), 8) & 0xff)
  return byte < 0x80 ? String.fromCharCode(byte) : Uint8Array.of(byte)
}
