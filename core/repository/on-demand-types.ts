import type { LoadedModel } from '../model/model.ts'

/** A request that waits for its model. */
export interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** One model that may be loaded. */
export interface Entry {
  readonly name: string
  /** Versions that lie in the repository, as text. */
  readonly versions: ReadonlySet<string>
  /** Versions in service; empty = it is not loaded. */
  models: readonly LoadedModel[]
  /** Never unloaded to make room. */
  pinned: boolean
  /** Made of other models, which stay as long as it does. */
  ensemble: boolean
  /** What it takes, or is about to take, of the budget. */
  bytes: number
  /** Requests between the moment they found the model and the one they are with it. */
  leases: number
  usedNs: number
  /** Waits for its load, or is loading. */
  pending: boolean
  /** A model that runs waits for it, and takes its place until then: it is loaded before others. */
  urgent: boolean
  /** Is to be unloaded: takes nobody new. */
  leaving: boolean
  readonly waiters: Set<Waiter>
  /** Why it could not be loaded, told until {@link retryNs}. */
  failure: Error | null
  retryNs: number
  loads: number
  evictions: number
}

export function newEntry(name: string, versions: Iterable<number>, pinned: boolean): Entry {
  return {
    name,
    versions: new Set([...versions].map(String)),
    models: [],
    pinned,
    ensemble: false,
    bytes: 0,
    leases: 0,
    usedNs: 0,
    pending: false,
    urgent: false,
    leaving: false,
    waiters: new Set(),
    failure: null,
    retryNs: 0,
    loads: 0,
    evictions: 0,
  }
}

/** Whether nothing runs on it and nothing is on its way. */
export function isIdle({ leases, models }: Entry): boolean {
  return leases === 0 && models.every((model) => !model.busy)
}

/** Whether clients count on what it remembers of their sequences. */
export function hasSequences({ models }: Entry): boolean {
  return models.some((model) => model.openSequences > 0)
}
