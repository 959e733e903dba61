import { ServerError } from '../errors.ts'
import type { Clock, Log } from '../platform.ts'
import { type Entry, hasSequences, isIdle } from './on-demand-types.ts'

/** How often a load that waits for room looks whether somebody has left. */
export const ROOM_CHECK_NS = 2e6
/** How long a load waits for room before it fails. */
export const ROOM_WAIT_NS = 120e9

export interface RoomOptions {
  readonly clock: Clock
  readonly log: Log
  readonly entries: ReadonlyMap<string, Entry>
  /** Bytes. */
  readonly budget: number
  readonly unload: (name: string) => Promise<void>
  /** Whether a model that is loaded is made of it. */
  readonly isNeeded: (name: string) => boolean
  /** The model stays after all: who waited for it may go on. */
  readonly stays: (entry: Entry) => void
  /** Whether the load in progress had better let another go first than wait. */
  readonly givesWay: () => boolean
}

/** Keeps what is loaded within a budget: who was used longest ago leaves first, when nothing of his is under way. */
export class Room {
  readonly #options: RoomOptions
  /** What belongs to the load in progress: none of it makes room for the rest. */
  readonly #group = new Set<Entry>()
  #closed = false

  constructor(options: RoomOptions) {
    this.#options = options
  }

  /** Bytes taken by what is loaded or about to be. */
  get used(): number {
    let bytes = 0
    for (const entry of this.#options.entries.values()) bytes += entry.bytes
    return bytes
  }

  /** Keeps `entry` until {@link release}. */
  protect(entry: Entry): void {
    this.#group.add(entry)
  }

  /** The load in progress has ended: what did not come of it takes nothing. */
  release(): void {
    for (const entry of this.#group) if (entry.models.length === 0) entry.bytes = 0
    this.#group.clear()
  }

  close(): void {
    this.#closed = true
  }

  /** Takes `bytes` for `entry`; resolves when they are free. Throws UNAVAILABLE where they cannot become free. */
  async claim(entry: Entry, bytes: number): Promise<void> {
    const { budget, clock } = this.#options
    this.protect(entry)
    entry.bytes = bytes
    const deadlineNs = clock.now() + ROOM_WAIT_NS
    while (this.used > budget) {
      this.#check(entry, deadlineNs)
      const victim = this.#oldest()
      if (victim === undefined) await this.#pause(entry)
      else await this.#evict(victim, entry, deadlineNs)
    }
  }

  #check({ name, bytes }: Entry, deadlineNs: number): void {
    const { budget, entries, clock } = this.#options
    if (this.#closed) throw new ServerError('UNAVAILABLE', 'server is shutting down')
    let fixed = 0
    for (const one of entries.values()) if (one.pinned || this.#group.has(one)) fixed += one.bytes
    if (fixed > budget) {
      const others = fixed - bytes
      const rest = others === 0 ? '' : ` beside ${others} of models that are pinned or belong to it`
      throw new ServerError(
        'UNAVAILABLE',
        `model '${name}' takes ${bytes} bytes${rest}, the memory budget is ${budget}`,
      )
    }
    if (clock.now() < deadlineNs) return
    throw new ServerError(
      'UNAVAILABLE',
      `model '${name}' takes ${bytes} bytes, which did not become free in time`,
    )
  }

  /** Who leaves next: idle ones first, then whoever was used longest ago. */
  #oldest(): Entry | undefined {
    let oldest: Entry | undefined
    for (const entry of this.#options.entries.values()) {
      if (!this.#mayLeave(entry)) continue
      if (oldest === undefined || isBefore(entry, oldest)) oldest = entry
    }
    return oldest
  }

  #mayLeave(entry: Entry): boolean {
    if (entry.models.length === 0 || entry.leaving || this.#mustStay(entry)) return false
    return (entry.bytes > 0 || entry.ensemble) && !this.#options.isNeeded(entry.name)
  }

  #mustStay(entry: Entry): boolean {
    return entry.pinned || this.#group.has(entry) || hasSequences(entry)
  }

  /** From here on nobody new is let in, so that a model that is always busy leaves too. */
  async #evict(victim: Entry, entry: Entry, deadlineNs: number): Promise<void> {
    const { unload, log } = this.#options
    victim.leaving = true
    try {
      while (!isIdle(victim)) {
        await this.#pause(entry)
        // A sequence may have begun with the last request that was let in.
        if (this.#mustStay(victim)) return
        // Nobody need wait for a slow client where another model has nothing to do.
        const other = this.#oldest()
        if (other !== undefined && isIdle(other)) return
        this.#check(entry, deadlineNs)
      }
      if (this.#mustStay(victim)) return
      log.info(`unloading '${victim.name}' to make room for '${entry.name}'`)
      await unload(victim.name)
      victim.bytes = 0
      victim.evictions++
    } finally {
      victim.leaving = false
      if (victim.models.length > 0) this.#options.stays(victim)
    }
  }

  /** What is waited for may itself wait for another load. */
  #pause({ name }: Entry): Promise<void> {
    if (this.#options.givesWay()) {
      throw new ServerError('UNAVAILABLE', `model '${name}' waits for others to load`)
    }
    return new Promise((resolve) => void this.#options.clock.after(ROOM_CHECK_NS, resolve))
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  const idle = isIdle(one)
  return idle === isIdle(other) ? one.usedNs < other.usedNs : idle
}
