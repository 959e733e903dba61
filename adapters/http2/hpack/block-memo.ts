import type { HeaderList } from './header-list.ts'

/** Blocks remembered: a client calls a few methods in turn. */
const ENTRIES = 8
/** Longer blocks carry fields that differ from call to call. */
const MAX_BYTES = 256

class Entry {
  readonly bytes: Uint8Array = new Uint8Array(MAX_BYTES)
  length = 0
  list: HeaderList | null = null
}

/** What the latest blocks of a connection came to, valid until its table changes. */
export class BlockMemo {
  readonly #entries: Entry[] = []
  #used = 0

  find(block: Uint8Array): HeaderList | null {
    const length = block.length
    for (let index = 0; index < this.#used; index++) {
      const entry = this.#entries[index]
      if (entry === undefined || entry.length !== length) continue
      const bytes = entry.bytes
      let at = 0
      while (at < length && bytes[at] === block[at]) at++
      if (at < length) continue
      if (index > 0) this.#toFront(index, entry)
      return entry.list
    }
    return null
  }

  add(block: Uint8Array, list: HeaderList): void {
    if (block.length > MAX_BYTES) return
    if (this.#used < ENTRIES) {
      if (this.#entries.length === this.#used) this.#entries.push(new Entry())
      this.#used++
    }
    // The least recently used entry's memory is used again.
    const entry = this.#entries[this.#used - 1]
    if (entry === undefined) return
    entry.bytes.set(block)
    entry.length = block.length
    entry.list = list
    this.#toFront(this.#used - 1, entry)
  }

  clear(): void {
    while (this.#used > 0) {
      const entry = this.#entries[--this.#used]
      if (entry !== undefined) entry.list = null
    }
  }

  #toFront(index: number, entry: Entry): void {
    const entries = this.#entries
    for (let at = index; at > 0; at--) entries[at] = entries[at - 1] ?? entry
    entries[0] = entry
  }
}
