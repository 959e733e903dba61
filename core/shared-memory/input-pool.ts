/** Smaller inputs are left to the garbage collector: they are cheap, and many. */
export const POOLED_INPUT_BYTES: number = 16 * 1024
/** Bytes kept for the inputs of coming requests. */
export const INPUT_POOL_BYTES: number = 64 * 1024 * 1024
const STEP = 4096

/**
 * Memory that inputs are copied into, used again and again: fresh pages cost more than the copy itself. Every buffer
 * starts at a multiple of 8.
 */
export class InputPool {
  readonly #free = new Map<number, ArrayBuffer[]>()
  #bytes = 0

  /** At least `bytes` bytes with any content. */
  take(bytes: number): ArrayBuffer {
    if (bytes < POOLED_INPUT_BYTES) return new ArrayBuffer(bytes)
    const size = Math.ceil(bytes / STEP) * STEP
    const buffer = this.#free.get(size)?.pop()
    if (buffer === undefined) return new ArrayBuffer(size)
    this.#bytes -= size
    return buffer
  }

  give(buffer: ArrayBuffer): void {
    const size = buffer.byteLength
    if (size < POOLED_INPUT_BYTES || size > INPUT_POOL_BYTES) return
    if (this.#bytes + size > INPUT_POOL_BYTES) {
      // Sizes have changed: what was kept for others goes.
      this.#free.clear()
      this.#bytes = 0
    }
    const list = this.#free.get(size)
    if (list === undefined) this.#free.set(size, [buffer])
    else list.push(buffer)
    this.#bytes += size
  }
}
