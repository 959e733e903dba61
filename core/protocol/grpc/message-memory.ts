/** Bytes taken at once: memory of its own costs a small message more than everything else about it. */
const SLAB_BYTES = 64 * 1024
/** Messages that are larger have memory of their own, so that one kept message keeps little else. */
const MAX_SHARED_BYTES = 4 * 1024

/** Memory for small messages, cut from larger pieces. Nothing is used twice: a piece is freed with its last message. */
export class MessageMemory {
  #slab = new ArrayBuffer(0)
  #at = 0

  /** `size` bytes, all zero. */
  take(size: number): Uint8Array {
    if (size > MAX_SHARED_BYTES) return new Uint8Array(size)
    if (size > this.#slab.byteLength - this.#at) {
      this.#slab = new ArrayBuffer(SLAB_BYTES)
      this.#at = 0
    }
    const bytes = new Uint8Array(this.#slab, this.#at, size)
    this.#at += size
    return bytes
  }
}
