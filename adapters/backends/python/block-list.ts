/** Where blocks begin, and what their sizes are multiples of. */
export const BLOCK_BYTES = 64

/** Hands out blocks of a file that grows by segments. A block lies in one segment; neighbours that are free are one again. */
export class BlockList {
  /** Free ranges, in order: where they begin, and where they end. */
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  /** Sizes of what is in use, by offset. */
  readonly #sizes: Map<number, number> = new Map()
  /** Where segments begin: no block reaches across. */
  readonly #seams: Set<number> = new Set()

  /** Blocks in use. */
  get count(): number {
    return this.#sizes.size
  }

  addSegment(begin: number, end: number): void {
    this.#seams.add(begin)
    this.#starts.push(begin)
    this.#ends.push(end)
  }

  /** Offset of a block of at least `bytes` (more than 0); -1 = there is no room. */
  take(bytes: number): number {
    const size = Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
    for (let i = 0; i < this.#starts.length; i++) {
      const start = this.#starts[i] as number
      const left = (this.#ends[i] as number) - start - size
      if (left < 0) continue
      if (left > 0) this.#starts[i] = start + size
      else {
        this.#starts.splice(i, 1)
        this.#ends.splice(i, 1)
      }
      this.#sizes.set(start, size)
      return start
    }
    return -1
  }

  /** False where no block begins at `at`. */
  free(at: number): boolean {
    const size = this.#sizes.get(at)
    if (size === undefined) return false
    this.#sizes.delete(at)
    const end = at + size
    const next = this.#after(at)
    const joinsBefore = next > 0 && this.#ends[next - 1] === at && !this.#seams.has(at)
    const joinsAfter = this.#starts[next] === end && !this.#seams.has(end)
    if (joinsBefore && joinsAfter) {
      this.#ends[next - 1] = this.#ends[next] as number
      this.#starts.splice(next, 1)
      this.#ends.splice(next, 1)
    } else if (joinsBefore) this.#ends[next - 1] = end
    else if (joinsAfter) this.#starts[next] = at
    else {
      this.#starts.splice(next, 0, at)
      this.#ends.splice(next, 0, end)
    }
    return true
  }

  /** The first free range that begins after `at`. */
  #after(at: number): number {
    let low = 0
    let high = this.#starts.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#starts[middle] as number) < at) low = middle + 1
      else high = middle
    }
    return low
  }
}
