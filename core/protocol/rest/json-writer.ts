const encoder = new TextEncoder()
const PLAIN = /^[ !#-[\]-~\u0080-\uffff]*$/
const HEX = '0123456789ABCDEF'
const SHORT_ESCAPES: Readonly<Record<number, string>> = {
  8: '\\b',
  9: '\\t',
  10: '\\n',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
}

/** `text` as a JSON string. */
export function quote(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`
  let quoted = '"'
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x20 && code !== 0x22 && code !== 0x5c) quoted += text[i]
    else quoted += SHORT_ESCAPES[code] ?? `\\u00${HEX[code >> 4]}${HEX[code & 15]}`
  }
  return `${quoted}"`
}

/** A double as Triton prints it: shortest round trip, whole numbers with `.0`, exponents without `+`. */
export function doubleText(value: number): string {
  if (Number.isInteger(value)) {
    if (value > -1e21 && value < 1e21) {
      return value === 0 && Object.is(value, -0) ? '-0.0' : `${value}.0`
    }
    return String(value).replace('e+', 'e')
  }
  return String(value)
}

/** The first position in `bytes` from `from` on that a JSON string may not hold as it is. */
function firstUnsafe(bytes: Uint8Array, from: number): number {
  let i = from
  while (i < bytes.length) {
    const c = bytes[i] as number
    if (c < 0x20 || c === 0x22 || c === 0x5c) break
    i++
  }
  return i
}

/** Builds JSON from text and from raw bytes, which need not be UTF-8: Triton passes strings on as they are. */
export class JsonWriter {
  #text = ''
  readonly #parts: Uint8Array[] = []

  text(text: string): void {
    this.#text += text
  }

  /** `bytes` as a JSON string. */
  string(bytes: Uint8Array): void {
    this.#text += '"'
    let from = 0
    while (from < bytes.length) {
      const unsafe = firstUnsafe(bytes, from)
      if (unsafe > from) this.#raw(bytes.subarray(from, unsafe))
      if (unsafe < bytes.length) {
        const code = bytes[unsafe] as number
        this.#text += SHORT_ESCAPES[code] ?? `\\u00${HEX[code >> 4]}${HEX[code & 15]}`
      }
      from = unsafe + 1
    }
    this.#text += '"'
  }

  #raw(bytes: Uint8Array): void {
    if (bytes.length <= SHORT && isAscii(bytes)) {
      this.#text += String.fromCharCode.apply(null, bytes as unknown as number[])
      return
    }
    this.#parts.push(encoder.encode(this.#text), bytes)
    this.#text = ''
  }

  finish(): Uint8Array {
    const last = encoder.encode(this.#text)
    if (this.#parts.length === 0) return last
    let size = last.length
    for (const part of this.#parts) size += part.length
    const whole = new Uint8Array(size)
    let at = 0
    for (const part of this.#parts) {
      whole.set(part, at)
      at += part.length
    }
    whole.set(last, at)
    return whole
  }
}

/** Strings up to this many bytes go through text; longer ones are copied. */
const SHORT = 64

function isAscii(bytes: Uint8Array): boolean {
  for (const c of bytes) if (c > 0x7f) return false
  return true
}
