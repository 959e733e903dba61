/** How a stream that is closed came to its end. */
export const Closed = {
  /** Never opened, or so long ago that it is forgotten. */
  UNKNOWN: 0,
  /** Both sides ended it, or the peer reset it: nothing more may come. */
  BY_PEER: 1,
  /** We reset it: what the peer sent before it knew is to be ignored. */
  BY_US: 2,
} as const

/** The last streams that were closed, oldest forgotten first. */
export class ClosedStreams {
  readonly #ids: Uint32Array
  readonly #how: Uint8Array
  #next = 0

  constructor(capacity: number) {
    this.#ids = new Uint32Array(capacity)
    this.#how = new Uint8Array(capacity)
  }

  add(id: number, how: number): void {
    this.#ids[this.#next] = id
    this.#how[this.#next] = how
    this.#next = this.#next + 1 === this.#ids.length ? 0 : this.#next + 1
  }

  /** A `Closed`. */
  get(id: number): number {
    const at = this.#ids.indexOf(id)
    return at < 0 ? Closed.UNKNOWN : (this.#how[at] as number)
  }
}
