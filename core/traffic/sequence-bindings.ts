import type { Clock } from '../platform.ts'
import type { Routable } from '../server-types.ts'

/** Open sequences of one model whose version is remembered; beyond it the one that was quiet longest is forgotten. */
export const MAX_BINDINGS = 100_000
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

  constructor(clock: Clock, idleNs: number) {
    this.#clock = clock
    this.#idleNs = idleNs + BINDING_GRACE_NS
  }

  get size(): number {
    return this.#bindings.size
  }

  /** The version of an open sequence; undefined where it is not known. */
  find(request: Routable): number | undefined {
    const key = keyOf(request)
    const binding = this.#bindings.get(key)
    if (binding === undefined) return undefined
    this.#bindings.delete(key)
    if (request.sequenceEnd !== true) {
      binding.usedNs = this.#clock.now()
      this.#bindings.set(key, binding)
    }
    return binding.version
  }

  /** A sequence begins on `version`. */
  bind(request: Routable, version: number): void {
    const key = keyOf(request)
    this.#bindings.delete(key)
    if (request.sequenceEnd === true) return
    const nowNs = this.#clock.now()
    for (const [oldest, { usedNs }] of this.#bindings) {
      if (this.#bindings.size < MAX_BINDINGS && nowNs - usedNs < this.#idleNs) break
      this.#bindings.delete(oldest)
    }
    this.#bindings.set(key, { version, usedNs: nowNs })
  }
}

/** Sequences of different owners, and ids of different kinds, have nothing to do with each other. */
function keyOf({ sequenceId = 0n, owner = '' }: Routable): string {
  return `${typeof sequenceId === 'bigint' ? 'n' : 's'}${sequenceId}/${owner}`
}
