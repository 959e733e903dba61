import { Flag, readU32 } from './frame.ts'
import { BLOCK_BYTES_PER_LIST_BYTE, MAX_CONTINUATIONS } from './limits.ts'

const PRIORITY_BYTES = 5

/** Joins the block of a HEADERS frame and its CONTINUATIONs, bounded in octets and in frames. */
export class HeaderAssembly {
  /** The stream whose block is incomplete; 0 = none. */
  id = 0
  endStream = false
  /** The priority of the frame names its own stream, which RFC 7540 forbids. */
  dependsOnItself = false
  /** Blocks that began. */
  begun = 0
  readonly #maxBytes: number
  #pieces: Uint8Array[] = []
  #bytes = 0

  constructor(maxListBytes: number) {
    this.#maxBytes = maxListBytes * BLOCK_BYTES_PER_LIST_BYTE
  }

  /** Whether `length` more octets are within the limits. */
  fits(length: number): boolean {
    return this.#bytes + length <= this.#maxBytes && this.#pieces.length <= MAX_CONTINUATIONS
  }

  /** A HEADERS frame: the block in it without padding and priority; null when these do not fit in. */
  begin(
    bytes: Uint8Array,
    start: number,
    end: number,
    flags: number,
    id: number,
  ): Uint8Array | null {
    let from = start
    let to = end
    this.begun++
    this.endStream = (flags & Flag.END_STREAM) !== 0
    this.dependsOnItself = false
    if ((flags & Flag.PADDED) !== 0) {
      if (from === to) return null
      to -= bytes[from++] as number
    }
    if ((flags & Flag.PRIORITY) !== 0) {
      if (to - from < PRIORITY_BYTES) return null
      this.dependsOnItself = (readU32(bytes, from) & 0x7fffffff) === id
      from += PRIORITY_BYTES
    }
    if (to < from) return null
    return new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from)
  }

  /** Keeps a piece of stream `id` until the block is complete. */
  add(piece: Uint8Array, id: number): void {
    this.id = id
    // A copy: views would keep the chunks they came in.
    this.#pieces.push(piece.slice())
    this.#bytes += piece.length
  }

  /** The whole block; nothing is pending afterwards. */
  join(): Uint8Array {
    const joined = new Uint8Array(this.#bytes)
    let at = 0
    for (const piece of this.#pieces) {
      joined.set(piece, at)
      at += piece.length
    }
    this.#pieces = []
    this.#bytes = 0
    this.id = 0
    return joined
  }
}
