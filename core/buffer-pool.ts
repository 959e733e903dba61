/** Bytes that one pool keeps for reuse. */
export const BUFFER_POOL_BYTES: number = 64 * 1024 * 1024

export interface BufferPoolOptions {
  /** Sizes are rounded up to a multiple of it, a power of two of 8 or more, so that one buffer serves many sizes. Bytes. */
  readonly step: number
  /** Smaller buffers are made as large as they are asked for and left to the garbage collector: they are cheap, and many. */
  readonly leastBytes: number
  /** Makes a buffer; what is in it does not matter. Default: one of zeros. */
  readonly allocate?: (bytes: number) => ArrayBuffer
}

/**
 * Memory of large tensors and bodies, for the next ones. A fresh buffer per request costs page faults while it is filled and
 * brings the garbage collector to full collections; a buffer that was filled before costs neither. Only who is certain that
 * nobody reads a buffer any more gives it back; one that is never given back is collected as usual.
 */
export class BufferPool {
  readonly #step: number
  readonly #leastBytes: number
  readonly #allocate: (bytes: number) => ArrayBuffer
  readonly #free = new Map<number, ArrayBuffer[]>()
  #bytes = 0

  constructor({ step, leastBytes, allocate = zeros }: BufferPoolOptions) {
    this.#step = step
    this.#leastBytes = leastBytes
    this.#allocate = allocate
  }

  /** At least `bytes` bytes with any content. */
  take(bytes: number): ArrayBuffer {
    if (bytes < this.#leastBytes) return this.#allocate(bytes)
    const size = Math.ceil(bytes / this.#step) * this.#step
    const buffer = this.#free.get(size)?.pop()
    if (buffer === undefined) return this.#allocate(size)
    this.#bytes -= size
    return buffer
  }

  give(buffer: ArrayBuffer): void {
    const size = buffer.byteLength
    if (size < this.#leastBytes || size > BUFFER_POOL_BYTES) return
    if (this.#bytes + size > BUFFER_POOL_BYTES) {
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

const zeros = (bytes: number): ArrayBuffer => new ArrayBuffer(bytes)
