/** What RFC 7541 §4.1 adds to a field's octets. */
export const FIELD_OVERHEAD = 32
/** Before any size update (RFC 9113 §6.5.2). */
export const INITIAL_TABLE_BYTES = 4096

/** A peer's dynamic table: a ring, newest entry first when read. */
export class DynamicTable {
  /** Entries now. */
  count = 0
  /** Grows with every insertion and resize: what was decoded before another count may be out of date. */
  changes = 0
  #names: string[] = new Array<string>(16).fill('')
  #values: string[] = new Array<string>(16).fill('')
  /** Where the newest entry stands. */
  #newest = 0
  #bytes = 0
  #capacity = INITIAL_TABLE_BYTES

  /** Octets the entries count for. */
  get bytes(): number {
    return this.#bytes
  }

  /** `index` 0 is the newest; it must be below {@link count}. */
  name(index: number): string {
    return this.#names[(this.#newest - index) & (this.#names.length - 1)] ?? ''
  }

  value(index: number): string {
    return this.#values[(this.#newest - index) & (this.#names.length - 1)] ?? ''
  }

  insert(name: string, value: string): void {
    this.changes++
    const bytes = name.length + value.length + FIELD_OVERHEAD
    this.#evict(this.#capacity - bytes)
    // An entry larger than the table empties it, which is no error.
    if (bytes > this.#capacity) return
    if (this.count === this.#names.length) this.#grow()
    this.#newest = (this.#newest + 1) & (this.#names.length - 1)
    this.#names[this.#newest] = name
    this.#values[this.#newest] = value
    this.#bytes += bytes
    this.count++
  }

  resize(capacity: number): void {
    this.changes++
    this.#capacity = capacity
    this.#evict(capacity)
  }

  #evict(limit: number): void {
    const mask = this.#names.length - 1
    while (this.count > 0 && this.#bytes > limit) {
      const oldest = (this.#newest - this.count + 1) & mask
      this.#bytes -=
        (this.#names[oldest]?.length ?? 0) + (this.#values[oldest]?.length ?? 0) + FIELD_OVERHEAD
      this.#names[oldest] = ''
      this.#values[oldest] = ''
      this.count--
    }
  }

  #grow(): void {
    const names: string[] = []
    const values: string[] = []
    for (let index = this.count - 1; index >= 0; index--) {
      names.push(this.name(index))
      values.push(this.value(index))
    }
    this.#newest = this.count - 1
    while (names.length < 2 * this.count) {
      names.push('')
      values.push('')
    }
    this.#names = names
    this.#values = values
  }
}
