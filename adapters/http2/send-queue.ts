import type { HeaderBlock } from './types.ts'

/** What a stream still has to send: headers, then chunks, then trailers. Only streams that had to wait have one. */
export class SendQueue {
  head: HeaderBlock | null = null
  /** The headers are the whole response. */
  headEnds = false
  trailers: HeaderBlock | null = null
  /** Octets in chunks. */
  bytes = 0
  readonly #chunks: Uint8Array[] = []
  readonly #releases: ((() => void) | undefined)[] = []
  #first = 0
  #offset = 0

  get empty(): boolean {
    return this.head === null && this.bytes === 0 && this.trailers === null
  }

  push(bytes: Uint8Array, release: (() => void) | undefined): void {
    this.#chunks.push(bytes)
    this.#releases.push(release)
    this.bytes += bytes.length
  }

  /** At most `limit` octets of the first chunk, not yet taken; only when there are {@link bytes}. */
  peek(limit: number): Uint8Array {
    const chunk = this.#chunks[this.#first] as Uint8Array
    const end = Math.min(chunk.length, this.#offset + limit)
    return new Uint8Array(chunk.buffer, chunk.byteOffset + this.#offset, end - this.#offset)
  }

  /** Takes `bytes` that {@link peek} showed; returns the chunk's release when it is used up. */
  take(bytes: number): (() => void) | undefined {
    const chunk = this.#chunks[this.#first] as Uint8Array
    this.#offset += bytes
    this.bytes -= bytes
    if (this.#offset < chunk.length) return undefined
    const release = this.#releases[this.#first]
    this.#offset = 0
    this.#first++
    if (this.#first === this.#chunks.length) {
      this.#chunks.length = 0
      this.#releases.length = 0
      this.#first = 0
    }
    return release
  }

  /** Forgets everything; returns what must be released. */
  drop(): (() => void)[] {
    const left: (() => void)[] = []
    for (let i = this.#first; i < this.#releases.length; i++) {
      const release = this.#releases[i]
      if (release !== undefined) left.push(release)
    }
    this.#chunks.length = 0
    this.#releases.length = 0
    this.#first = 0
    this.#offset = 0
    this.head = null
    this.trailers = null
    this.bytes = 0
    return left
  }
}
