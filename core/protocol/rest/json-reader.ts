import { ServerError } from '../../errors.ts'
import { jsonSyntaxError } from './json-error.ts'
import { readNumber } from './json-number.ts'
import { readEscapedString } from './json-string.ts'
import type { JsonDouble, JsonValue } from './json-value.ts'

export interface JsonLimits {
  readonly jsonDepth: number
  readonly jsonKeys: number
  readonly jsonValues: number
}

const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const BACKSLASH = 0x5c
/** Strings up to this length are made from their bytes one by one, which beats a decoder's call. */
const SHORT_STRING = 24

/**
 * A cursor over JSON bytes. It reads what RapidJSON reads with Triton's flags (NaN, Inf and Infinity are numbers) and
 * refuses the rest with its reasons and offsets. Nothing recurses deeper than `jsonDepth`.
 */
export class JsonReader {
  readonly bytes: Uint8Array
  readonly end: number
  pos = 0
  /** Containers around the cursor. */
  depth = 0
  readonly #limits: JsonLimits
  readonly #decoder: TextDecoder
  #values = 0

  constructor(bytes: Uint8Array, limits: JsonLimits) {
    this.bytes = bytes
    this.end = bytes.length
    this.#limits = limits
    this.#decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    if (bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf)
      this.pos = 3
  }

  /** The byte after white space, -1 at the end. */
  peek(): number {
    const { bytes, end } = this
    let p = this.pos
    let c = -1
    while (p < end) {
      c = bytes[p] as number
      if (c > 0x20 || (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09)) break
      p++
      c = -1
    }
    this.pos = p
    return c
  }

  /** Reads a whole document as a tree. */
  document(): JsonValue {
    if (this.peek() === -1) throw jsonSyntaxError('empty', this.pos)
    const value = this.value()
    this.finish()
    return value
  }

  /** Nothing but white space may follow the root. */
  finish(): void {
    if (this.peek() !== -1) throw jsonSyntaxError('trailing', this.pos)
  }

  enter(): void {
    this.pos++
    if (++this.depth > this.#limits.jsonDepth) throw depthError(this.#limits.jsonDepth)
  }

  leave(): void {
    this.pos++
    this.depth--
  }

  /** After '{' or ',': false at the end of the object, else the next member's name is at the cursor. */
  member(first: boolean, count: number): boolean {
    const c = this.peek()
    if (first && c === CLOSE_OBJECT) {
      this.leave()
      return false
    }
    if (c !== QUOTE) throw jsonSyntaxError('name', this.pos)
    if (count >= this.#limits.jsonKeys) {
      throw new ServerError(
        'INVALID_ARG',
        `JSON object has more than ${this.#limits.jsonKeys} members`,
      )
    }
    return true
  }

  /** The index in `names` of the member name at the cursor, -1 for any other name. */
  key(names: readonly Uint8Array[]): number {
    const { bytes } = this
    const start = this.pos + 1
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as Uint8Array
      let at = 0
      while (at < name.length && name[at] === bytes[start + at]) at++
      if (at === name.length && bytes[start + at] === QUOTE) {
        this.pos = start + at + 1
        return i
      }
    }
    // Another name, one that is written with escapes, or no string at all.
    const found = this.string()
    return names.findIndex((name) => this.#decoder.decode(name) === found)
  }

  colon(): void {
    if (this.peek() !== 0x3a) throw jsonSyntaxError('colon', this.pos)
    this.pos++
  }

  /** After a member's value: true when another member follows. */
  nextMember(): boolean {
    const c = this.peek()
    if (c === COMMA) {
      this.pos++
      return true
    }
    if (c !== CLOSE_OBJECT) throw jsonSyntaxError('objectEnd', this.pos)
    this.leave()
    return false
  }

  /** After '[': true when an element is at the cursor. */
  firstElement(): boolean {
    if (this.peek() !== CLOSE_ARRAY) return true
    this.leave()
    return false
  }

  /** After an element: true when another one follows. */
  nextElement(): boolean {
    const c = this.peek()
    if (c === COMMA) {
      this.pos++
      return true
    }
    if (c !== CLOSE_ARRAY) throw jsonSyntaxError('arrayEnd', this.pos)
    this.leave()
    return false
  }

  /** Reads one value as a tree. */
  value(): JsonValue {
    if (++this.#values > this.#limits.jsonValues) {
      throw new ServerError(
        'INVALID_ARG',
        `JSON document has more than ${this.#limits.jsonValues} values`,
      )
    }
    const c = this.peek()
    if (c === OPEN_OBJECT) return this.#object()
    if (c === OPEN_ARRAY) {
      const list: JsonValue[] = []
      this.enter()
      if (this.firstElement()) {
        do list.push(this.value())
        while (this.nextElement())
      }
      return list
    }
    return this.scalar(c)
  }

  #object(): Map<string, JsonValue> {
    const map = new Map<string, JsonValue>()
    this.enter()
    let count = 0
    let more = this.member(true, count)
    while (more) {
      const name = this.string()
      this.colon()
      // The first of equal names counts, as where members are looked up in order.
      if (map.has(name)) this.skip()
      else map.set(name, this.value())
      more = this.nextMember() && this.member(false, ++count)
    }
    return map
  }

  /** Reads a value that is no container; `c` is its first byte. */
  scalar(c: number): JsonValue {
    if (c === QUOTE) return this.string()
    if (c === 0x74) return this.literal('true', true)
    if (c === 0x66) return this.literal('false', false)
    if (c === 0x6e) return this.literal('null', null)
    return this.number()
  }

  /** The word `text` is at the cursor, which moves behind it. */
  literal<T>(text: string, value: T): T {
    for (let i = 0; i < text.length; i++, this.pos++) {
      if (this.bytes[this.pos] !== text.charCodeAt(i)) throw jsonSyntaxError('value', this.pos)
    }
    return value
  }

  /** Checks one value and forgets it. */
  skip(): void {
    const c = this.peek()
    if (c === OPEN_ARRAY) {
      this.enter()
      if (this.firstElement()) {
        do this.skip()
        while (this.nextElement())
      }
    } else if (c === OPEN_OBJECT) {
      this.enter()
      let count = 0
      let more = this.member(true, count)
      while (more) {
        this.scanString()
        this.colon()
        this.skip()
        more = this.nextMember() && this.member(false, ++count)
      }
    } else if (c === QUOTE) this.scanString()
    else this.scalar(c)
  }

  /** A string as text; bytes that are not UTF-8 become U+FFFD. */
  string(): string {
    const { bytes } = this
    const start = this.pos + 1
    const stop = Math.min(start + SHORT_STRING, this.end)
    let text = ''
    for (let p = start; p < stop; p++) {
      const c = bytes[p] as number
      if (c === QUOTE) {
        this.pos = p + 1
        return text
      }
      if (c > 0x7f || c < 0x20 || c === BACKSLASH) break
      text += String.fromCharCode(c)
    }
    return this.#decoder.decode(this.scanString())
  }

  /** The bytes of the string at the cursor: a view where nothing was escaped. */
  scanString(): Uint8Array {
    const { bytes, end } = this
    const start = this.pos + 1
    let p = start
    while (p < end) {
      const c = bytes[p] as number
      if (c === QUOTE) {
        this.pos = p + 1
        return bytes.subarray(start, p)
      }
      if (c === BACKSLASH) return readEscapedString(this, start, p)
      if (c < 0x20) throw jsonSyntaxError(c === 0 ? 'quote' : 'escape', p)
      p++
    }
    throw jsonSyntaxError('quote', end)
  }

  /** A number: whole ones are `number` or, beyond 2^53, `bigint`; all others are {@link JsonDouble}. */
  number(): number | bigint | JsonDouble {
    return readNumber(this, this.#decoder)
  }
}

export function depthError(limit: number): ServerError {
  return new ServerError(
    'INVALID_ARG',
    `JSON nesting depth exceeds maximum allowed limit (${limit})`,
  )
}
