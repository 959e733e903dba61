import { HpackError } from './error.ts'
import { huffmanDecode, huffmanDecodedMax } from './huffman.ts'

/** Integers stop here: four octets after the prefix, more than any length or index that could be right. */
const MAX_SHIFT = 21
/** Kept for decoded strings from block to block; longer ones get their own. */
const SCRATCH_BYTES = 1024
const EMPTY = Buffer.alloc(0)

/** Reads the primitives of RFC 7541 §5 from a block; throws {@link HpackError} where it ends too early. */
export class BlockReader {
  #block: Buffer = EMPTY
  #at = 0
  #scratch: Buffer = EMPTY

  open(block: Uint8Array): void {
    this.#block =
      block instanceof Buffer
        ? block
        : Buffer.from(block.buffer, block.byteOffset, block.byteLength)
    this.#at = 0
  }

  /** Lets go of the block's memory. */
  close(): void {
    this.#block = EMPTY
  }

  get ended(): boolean {
    return this.#at >= this.#block.length
  }

  /** The octet that comes next; it is read again by {@link integer}. */
  peek(): number {
    return this.#block[this.#at] ?? 0
  }

  /** An integer whose prefix is the octet's bits under `mask`. */
  integer(mask: number): number {
    const block = this.#block
    if (this.#at >= block.length) throw new HpackError('a header block ends inside a field')
    let value = (block[this.#at++] ?? 0) & mask
    if (value < mask) return value
    for (let shift = 0; shift <= MAX_SHIFT; shift += 7) {
      if (this.#at >= block.length) throw new HpackError('a header block ends inside an integer')
      const byte = block[this.#at++] ?? 0
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw new HpackError('an integer of a header block is too large')
  }

  /** A string literal, octets as latin1. */
  string(): string {
    const coded = (this.peek() & 0x80) !== 0
    const length = this.integer(0x7f)
    const start = this.#at
    const end = start + length
    if (end > this.#block.length) throw new HpackError('a header block ends inside a string')
    this.#at = end
    if (!coded) return this.#block.toString('latin1', start, end)
    const out = this.#room(huffmanDecodedMax(length))
    const count = huffmanDecode(this.#block, start, end, out)
    if (count < 0) throw new HpackError('a string of a header block is not Huffman code')
    return out.toString('latin1', 0, count)
  }

  #room(bytes: number): Buffer {
    if (bytes > SCRATCH_BYTES) return Buffer.allocUnsafe(bytes)
    // One allocation per connection, at its first coded string.
    if (this.#scratch.length === 0) this.#scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
    return this.#scratch
  }
}
