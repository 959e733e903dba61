/** Bodies below this are left to the garbage collector: they are cheap, and many. */
export const POOLED_BODY_BYTES: number = 64 * 1024
/** Bytes kept for reuse by one listener. */
export const BODY_POOL_BYTES: number = 64 * 1024 * 1024
const STEP = 64 * 1024

/**
 * Memory of large bodies, for the next ones. A fresh buffer per request costs page faults while it is filled and brings
 * the garbage collector to full collections; a buffer that was filled before costs neither. Only who is certain that
 * nobody reads a buffer any more gives it back; one that is never given back is collected as usual.
 */
export class BodyPool {
  readonly #free = new Map<number, ArrayBuffer[]>()
  #bytes = 0

  /** At least `bytes` bytes with any content. */
  take(bytes: number): ArrayBuffer {
    const size = Math.ceil(bytes / STEP) * STEP
    const buffer = this.#free.get(size)?.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(size).buffer as ArrayBuffer
    this.#bytes -= size
    return buffer
  }

  give(buffer: ArrayBuffer): void {
    const size = buffer.byteLength
    if (size > BODY_POOL_BYTES) return
    if (this.#bytes + size > BODY_POOL_BYTES) {
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
