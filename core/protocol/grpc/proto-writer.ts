import { textSize, writeText } from './proto-text.ts'

const TWO_32 = 0x1_0000_0000

/** Bytes of `value`, a whole number from 0 to 2^53 - 1, as a varint. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1
  let size = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++
  return size
}

/** Writes `value` (see {@link varintSize}) at `at`; returns where it ends. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value
  let to = at
  while (rest >= 0x80) {
    bytes[to++] = (rest % 0x80) | 0x80
    rest = rest < TWO_32 ? rest >>> 7 : Math.floor(rest / 0x80)
  }
  bytes[to++] = rest
  return to
}

/** Bytes of a field that is length-delimited, its tag of one byte and its length included. */
export function fieldSize(contentBytes: number): number {
  return 1 + varintSize(contentBytes) + contentBytes
}

/** What most messages need; an engine keeps arrays of this size on its own heap. */
const FIRST_BYTES = 64

/** Builds small messages whose size is not known before; field numbers are 1 to 15. */
export class ProtoWriter {
  #bytes = new Uint8Array(FIRST_BYTES)
  #at = 0

  varint(field: number, value: number): void {
    this.#reserve(11)
    this.#bytes[this.#at++] = field << 3
    this.#at = writeVarint(this.#bytes, this.#at, value)
  }

  /** A signed or unsigned 64-bit integer. */
  int64(field: number, value: bigint): void {
    this.#reserve(11)
    this.#bytes[this.#at++] = field << 3
    this.#raw64(value)
  }

  double(field: number, value: number): void {
    this.#reserve(9)
    this.#bytes[this.#at++] = (field << 3) | 1
    new DataView(this.#bytes.buffer).setFloat64(this.#at, value, true)
    this.#at += 8
  }

  string(field: number, text: string): void {
    const size = textSize(text)
    this.#head(field, size)
    this.#at = writeText(this.#bytes, this.#at, text, size)
  }

  bytes(field: number, content: Uint8Array): void {
    this.#head(field, content.length)
    this.#bytes.set(content, this.#at)
    this.#at += content.length
  }

  /** A packed repeated int64; nothing when `values` is empty. */
  packedInt64(field: number, values: readonly number[]): void {
    if (values.length === 0) return
    const inner = new ProtoWriter()
    for (const value of values) {
      inner.#reserve(10)
      if (value >= 0) inner.#at = writeVarint(inner.#bytes, inner.#at, value)
      else inner.#raw64(BigInt(value))
    }
    this.bytes(field, inner.finish())
  }

  /** What was written; the writer may not be used any more. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  #raw64(value: bigint): void {
    let rest = BigInt.asUintN(64, value)
    while (rest >= 0x80n) {
      this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.#bytes[this.#at++] = Number(rest)
  }

  #head(field: number, length: number): void {
    this.#reserve(11 + length)
    this.#bytes[this.#at++] = (field << 3) | 2
    this.#at = writeVarint(this.#bytes, this.#at, length)
  }

  #reserve(count: number): void {
    const needed = this.#at + count
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = grown
  }
}
