import type { Clock } from '../platform.ts'
import type { Routable } from '../server-types.ts'

/** Open sequences of one model whose version is remembered; beyond it the one that was quiet longest is forgotten. */
export const MAX_BINDINGS = 100_000
/** Sequences that ended last: a client whose last request was refused sends it again. */
export const MAX_ENDED_BINDINGS = 1024
/** A sequence is remembered for as long as a scheduler may keep it, and this longer: requests may still wait for it. */
export const BINDING_GRACE_NS = 60e9

interface Binding {
  readonly version: number
  usedNs: number
}

/** Which version each open sequence runs on. */
export class SequenceBindings {
  readonly #clock: Clock
  readonly #idleNs: number
  /** The one used longest ago comes first. */
  readonly #bindings = new Map<string, Binding>()
  /** The one that ended first comes first. */
  readonly #ended = new Map<string, number>()

  constructor(clock: Clock, idleNs: number) {
    this.#clock = clock
    this.#idleNs = idleNs + BINDING_GRACE_NS
  }

  get size(): number {
    return this.#bindings.size
  }

  /** The version of a sequence that is open, or ended lately; undefined where it is not known. */
  find(request: Routable): number | undefined {
    const key = keyOf(request)
    const binding = this.#bindings.get(key)
    if (binding === undefined) return this.#ended.get(key)
    this.#bindings.delete(key)
    if (request.sequenceEnd === true) {
      this.#end(key, binding.version)
    } else {
      binding.usedNs = this.#clock.now()
      this.#bindings.set(key, binding)
    }
    return binding.version
  }

  /** A sequence begins on `version`. */
  bind(request: Routable, version: number): void {
    const key = keyOf(request)
    this.#bindings.delete(key)
    this.#ended.delete(key)
    if (request.sequenceEnd === true) return
    const nowNs = this.#clock.now()
    for (const [oldest, { usedNs }] of this.#bindings) {
      if (this.#bindings.size < MAX_BINDINGS && nowNs - usedNs < this.#idleNs) break
      this.#bindings.delete(oldest)
    }
    this.#bindings.set(key, { version, usedNs: nowNs })
  }

  #end(key: string, version: number): void {
    this.#ended.set(key, version)
    if (this.#ended.size <= MAX_ENDED_BINDINGS) return
    for (const first of this.#ended.keys()) {
      this.#ended.delete(first)
      return
    }
  }
}

/** Sequences of different owners, and ids of different kinds, have nothing to do with each other. */
function keyOf({ sequenceId = 0n, owner = '' }: Routable): string {
  return `${typeof sequenceId === 'bigint' ? 'n' : 's'}${sequenceId}/${owner}`
}
