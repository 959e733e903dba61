import type { Entry } from './on-demand-types.ts'

/** Models that wait for their load: urgent ones first, else in the order in which they came. */
export class LoadQueue {
  readonly #entries: Entry[] = []

  /** Whether the next one is urgent. */
  get urgent(): boolean {
    return this.#entries[0]?.urgent === true
  }

  add(entry: Entry): void {
    if (entry.urgent) this.addFirst(entry)
    else this.#entries.push(entry)
  }

  /** Puts `entry` before all but those that are urgent. */
  addFirst(entry: Entry): void {
    const others = this.#entries.findIndex(({ urgent }) => !urgent)
    this.#entries.splice(others < 0 ? this.#entries.length : others, 0, entry)
  }

  /** `entry` is urgent from now on, in the queue or not. */
  hurry(entry: Entry): void {
    if (entry.urgent) return
    const queued = this.remove(entry)
    entry.urgent = true
    if (queued) this.addFirst(entry)
  }

  remove(entry: Entry): boolean {
    const at = this.#entries.indexOf(entry)
    if (at >= 0) this.#entries.splice(at, 1)
    return at >= 0
  }

  next(): Entry | undefined {
    return this.#entries.shift()
  }
}
