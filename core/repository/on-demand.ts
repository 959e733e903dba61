import type { ModelConfig } from '../config/types.ts'
import { isEnsemble } from '../ensemble/load-ensemble.ts'
import { messageOf, ServerError } from '../errors.ts'
import type { Clock, Log } from '../platform.ts'
import type { OnDemand, OnDemandFigures } from '../server-types.ts'
import type { ModelRecord } from './lifecycle.ts'
import { LoadQueue } from './load-queue.ts'
import { Room } from './on-demand-room.ts'
import { type Entry, newEntry, type Waiter } from './on-demand-types.ts'
import type { ModelFiles } from './snapshot.ts'

/** Requests that may wait for models to load, all together. */
export const MAX_WAITING_REQUESTS = 10_000
/** How long one of them waits at most; most have a limit of their own. */
export const LOAD_WAIT_NS = 600e9
/** How long a failed load is told to those who come, before it is tried again. */
export const FAILED_LOAD_NS = 10e9

export interface ModelsOnDemandOptions {
  readonly clock: Clock
  readonly log: Log
  /** Bytes that loaded models may take; 0 = any number. */
  readonly budget: number
  readonly pinned: readonly string[]
  /** Loads at the same time, where there is no budget. */
  readonly parallel: number
  readonly load: (name: string) => Promise<void>
  readonly unload: (name: string) => Promise<void>
  /** Whether a model that is loaded is made of it. */
  readonly isNeeded: (name: string) => boolean
}

/**
 * Loads models when they are asked for and, where there is a budget, unloads those used longest ago. With a budget one load
 * follows another: two that each hold what the other waits for would wait for ever.
 */
export class ModelsOnDemand implements OnDemand {
  readonly #options: ModelsOnDemandOptions
  readonly #entries = new Map<string, Entry>()
  readonly #queue = new LoadQueue()
  readonly #room: Room
  readonly #parallel: number
  /** Where there is a budget: what is being loaded. */
  #current: Entry | null = null
  #gaveWay = false
  #loading = 0
  #waiting = 0
  #pinning = false
  #closed = false

  constructor(options: ModelsOnDemandOptions) {
    const { clock, log, budget, unload, isNeeded } = options
    this.#options = options
    this.#parallel = budget > 0 ? 1 : Math.max(1, options.parallel)
    this.#room = new Room({
      clock,
      log,
      budget,
      entries: this.#entries,
      unload,
      isNeeded,
      stays: (entry) => this.#stays(entry),
      givesWay: () => this.#givesWay(),
    })
  }

  /** Takes over what the repositories hold and loads what is pinned. Returns what went wrong, one line each. */
  async start(models: ReadonlyMap<string, ModelFiles>): Promise<readonly string[]> {
    const { pinned } = this.#options
    for (const [name, { versions }] of models) {
      this.#entries.set(name, newEntry(name, versions.keys(), pinned.includes(name)))
    }
    const problems: string[] = []
    this.#pinning = true
    for (const name of pinned) {
      const entry = this.#entries.get(name)
      if (entry === undefined) problems.push(`pinned model '${name}' is in no model repository`)
      else {
        await this.bring(name).then(
          () => this.leave(name),
          (error) => problems.push(messageOf(error)),
        )
      }
    }
    this.#pinning = false
    return problems
  }

  here(model: string): boolean {
    const entry = this.#entries.get(model)
    if (entry === undefined) return true
    if (entry.models.length === 0 || entry.leaving || entry.pending) return false
    entry.usedNs = this.#options.clock.now()
    return true
  }

  enter(model: string): boolean {
    if (!this.here(model)) return false
    const entry = this.#entries.get(model)
    if (entry !== undefined) entry.leases++
    return true
  }

  leave(model: string): void {
    const entry = this.#entries.get(model)
    if (entry === undefined) return
    entry.leases--
    entry.usedNs = this.#options.clock.now()
  }

  offers(model: string, version: string): boolean {
    const entry = this.#entries.get(model)
    if (entry === undefined || this.#closed || entry.failure !== null) return false
    // What is loaded says itself which versions it has.
    return entry.models.length === 0 && (version === '' || entry.versions.has(version))
  }

  async bring(model: string, signal?: AbortSignal, urgent = false): Promise<void> {
    if (this.enter(model)) return
    const entry = this.#entries.get(model) as Entry
    const { clock } = this.#options
    if (this.#closed) throw shuttingDown()
    if (entry.failure !== null && clock.now() < entry.retryNs) throw entry.failure
    if (this.#waiting >= MAX_WAITING_REQUESTS) {
      throw new ServerError('UNAVAILABLE', 'too many requests wait for models to load')
    }
    if (urgent) this.#queue.hurry(entry)
    await this.#wait(entry, signal)
  }

  /** What `record` serves has changed. */
  changed(record: ModelRecord): void {
    const entry = this.#entries.get(record.name)
    if (entry !== undefined) entry.models = record.serving()
  }

  /** `models` are what the model that is loading is made of. */
  protect(models: readonly string[]): void {
    for (const model of models) {
      const entry = this.#entries.get(model)
      if (entry !== undefined) this.#room.protect(entry)
    }
  }

  /** Makes room for a model that is about to be loaded. Throws UNAVAILABLE where there can be none. */
  async claim(model: string, config: ModelConfig, bytes: number): Promise<void> {
    const entry = this.#entries.get(model)
    if (entry === undefined) return
    entry.ensemble = isEnsemble(config)
    if (this.#pinning) entry.pinned = true
    if (this.#options.budget > 0) await this.#room.claim(entry, bytes)
    else entry.bytes = bytes
  }

  get waiting(): number {
    return this.#waiting
  }

  get figures(): readonly OnDemandFigures[] {
    return [...this.#entries.values()].map(({ name, models, bytes, loads, evictions }) => ({
      model: name,
      loaded: models.length > 0,
      bytes,
      loads,
      evictions,
    }))
  }

  /** Nobody waits any more, nothing is loaded any more. Idempotent. */
  close(): void {
    this.#closed = true
    this.#room.close()
    for (const entry of this.#entries.values()) {
      for (const { reject } of [...entry.waiters]) reject(shuttingDown())
    }
  }

  #wait(entry: Entry, signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#options
    return new Promise((resolve, reject) => {
      const end = (): void => {
        entry.waiters.delete(waiter)
        this.#waiting--
        stop()
        signal?.removeEventListener('abort', abort)
      }
      const waiter: Waiter = {
        resolve() {
          end()
          entry.leases++
          resolve()
        },
        reject(error) {
          end()
          reject(error)
        },
      }
      const abort = (): void => waiter.reject(new ServerError('CANCELLED', 'request was cancelled'))
      const stop = clock.after(LOAD_WAIT_NS, () =>
        waiter.reject(
          new ServerError('UNAVAILABLE', `model '${entry.name}' was not loaded in time`),
        ),
      )
      this.#waiting++
      entry.waiters.add(waiter)
      signal?.addEventListener('abort', abort, { once: true })
      if (signal?.aborted === true) {
        abort()
        return
      }
      if (entry.pending) return
      entry.pending = true
      this.#queue.add(entry)
      this.#next()
    })
  }

  #givesWay(): boolean {
    if (!this.#queue.urgent || this.#current?.urgent !== false) return false
    this.#gaveWay = true
    return true
  }

  #next(): void {
    while (this.#loading < this.#parallel) {
      const entry = this.#queue.next()
      if (entry === undefined) return
      if (entry.waiters.size === 0) {
        entry.pending = false
        entry.urgent = false
        continue
      }
      this.#loading++
      void this.#load(entry)
    }
  }

  async #load(entry: Entry): Promise<void> {
    const { load, clock, log } = this.#options
    let failure: ServerError | null = null
    this.#current = entry
    this.#gaveWay = false
    try {
      const before = entry.models.length
      await load(entry.name)
      if (before === 0) entry.loads++
    } catch (error) {
      if (this.#gaveWay) {
        this.#queue.addFirst(entry)
        this.#ended()
        return
      }
      log.error(`loading '${entry.name}' on demand: ${messageOf(error)}`)
      failure = new ServerError(
        'UNAVAILABLE',
        `Request for unknown model: '${entry.name}' could not be loaded: ${messageOf(error).trimEnd()}`,
        { retryAfterSecs: FAILED_LOAD_NS / 1e9 },
      )
      entry.retryNs = clock.now() + FAILED_LOAD_NS
    }
    entry.failure = failure
    if (failure !== null) {
      entry.pending = false
      entry.urgent = false
      for (const { reject } of [...entry.waiters]) reject(failure)
    } else {
      this.#stays(entry)
    }
    this.#ended()
  }

  #ended(): void {
    this.#current = null
    this.#room.release()
    this.#loading--
    this.#next()
  }

  /** Lets everybody in who waits; in their order, and before anybody who comes from now on. */
  #stays(entry: Entry): void {
    entry.usedNs = this.#options.clock.now()
    entry.pending = false
    entry.urgent = false
    this.#queue.remove(entry)
    for (const { resolve } of [...entry.waiters]) resolve()
  }
}

function shuttingDown(): ServerError {
  return new ServerError('UNAVAILABLE', 'Server not ready')
}
