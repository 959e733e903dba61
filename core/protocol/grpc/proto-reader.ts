import { ProtoError } from './proto-error.ts'
import { readText } from './proto-text.ts'

/** Wire types. */
export const VARINT = 0
export const FIXED64 = 1
export const BYTES = 2
const START_GROUP = 3
const END_GROUP = 4
export const FIXED32 = 5

/** Groups inside one another in a field that nobody knows; protobuf's own limit. */
const MAX_GROUPS = 100
const VARINT_BYTES = 10
const TWO_32 = 0x1_0000_0000

/**
 * Walks over the fields of a message. Everything is bounds-checked; what is malformed throws ProtoError. Nothing is copied.
 */
export class ProtoReader {
  readonly bytes: Uint8Array
  pos: number
  end: number
  /** Halves of the varint that {@link varint} read last, unsigned. */
  low = 0
  high = 0
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.pos = 0
    this.end = bytes.length
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** The next field's `number << 3 | wire type`; 0 at the end of the message. */
  next(): number {
    if (this.pos === this.end) return 0
    this.varint()
    const tag = this.low
    if (this.high !== 0 || tag >>> 3 === 0) throw new ProtoError('invalid tag')
    return tag
  }

  /** Reads a varint into {@link low} and {@link high}. */
  varint(): void {
    const { bytes, end } = this
    let pos = this.pos
    let low = 0
    let high = 0
    for (let i = 0; i < VARINT_BYTES; i++) {
      if (pos >= end) throw new ProtoError('truncated varint')
      const byte = bytes[pos++] as number
      const part = byte & 0x7f
      if (i < 4) low |= part << (7 * i)
      else if (i === 4) {
        low |= part << 28
        high = part >>> 4
      } else if (i < 9) high |= part << (7 * i - 32)
      else high |= part << 31
      if (byte < 0x80) {
        this.pos = pos
        this.low = low >>> 0
        this.high = high >>> 0
        return
      }
    }
    throw new ProtoError('varint is too long')
  }

  /** A signed 64-bit integer where doubles count exactly, else the nearest double. */
  int64(): number {
    this.varint()
    return (this.high | 0) * TWO_32 + this.low
  }

  int64Exact(): bigint {
    this.varint()
    return (BigInt(this.high | 0) << 32n) | BigInt(this.low)
  }

  uint64Exact(): bigint {
    this.varint()
    return (BigInt(this.high) << 32n) | BigInt(this.low)
  }

  bool(): boolean {
    this.varint()
    return (this.low | this.high) !== 0
  }

  double(): number {
    this.#advance(8)
    return this.#view.getFloat64(this.pos - 8, true)
  }

  /** Where the length-delimited value at the cursor ends; the cursor stands on its first byte. */
  length(): number {
    this.varint()
    if (this.high !== 0 || this.low > this.end - this.pos) {
      throw new ProtoError('length is beyond the end')
    }
    return this.pos + this.low
  }

  string(): string {
    const to = this.length()
    const text = readText(this.bytes, this.pos, to)
    this.pos = to
    return text
  }

  view(): Uint8Array {
    const to = this.length()
    const view = this.bytes.subarray(this.pos, to)
    this.pos = to
    return view
  }

  /** Narrows the reader to the message at the cursor; returns what {@link leave} takes. */
  enter(): number {
    const outer = this.end
    this.end = this.length()
    return outer
  }

  leave(outer: number): void {
    this.end = outer
  }

  /** Steps over the value of a field that nobody knows, or that has another type than it should. */
  skip(tag: number): void {
    let depth = 0
    const open: number[] = []
    let at = tag
    for (;;) {
      switch (at & 7) {
        case VARINT:
          this.varint()
          break
        case FIXED64:
          this.#advance(8)
          break
        case BYTES:
          this.pos = this.length()
          break
        case FIXED32:
          this.#advance(4)
          break
        case START_GROUP:
          if (depth === MAX_GROUPS) throw new ProtoError('groups are too deep')
          open[depth++] = at >>> 3
          break
        case END_GROUP:
          if (depth === 0 || open[--depth] !== at >>> 3)
            throw new ProtoError('unexpected group end')
          break
        default:
          throw new ProtoError('invalid wire type')
      }
      if (depth === 0) return
      at = this.next()
      if (at === 0) throw new ProtoError('group without end')
    }
  }

  #advance(count: number): void {
    if (count > this.end - this.pos) throw new ProtoError('truncated field')
    this.pos += count
  }
}
