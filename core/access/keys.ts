import type { Operation } from '../operations.ts'
import type { Clock } from '../platform.ts'
import { credentialOf } from './credential.ts'
import { Failures } from './failures.ts'
import type { KeyEntry } from './key-entry.ts'
import { KeyState, type KeyStates } from './key-state.ts'
import { retryAfterSecs } from './rate.ts'
import { sameText } from './restrictions.ts'
import { REQUIREMENT_OF, type Requirement, scopesMeet, scopesSee } from './scopes.ts'
import {
  type Access,
  type AccessRefusal,
  type AccessRequest,
  ANYBODY,
  type Caller,
  isRefusal,
  type Principal,
} from './types.ts'

/** Hashing, which the portable part leaves to its target. */
export interface KeyHasher {
  /** SHA-256 of the text, 64 lower-case hexadecimal digits. */
  digest(key: string): string
  /** Keyed with a secret of this process, so that how long a look-up takes tells nothing of what is in the table. */
  tag(digest: string): string
}

export interface KeyAccessOptions {
  readonly entries: readonly KeyEntry[]
  readonly hasher: KeyHasher
  readonly clock: Pick<Clock, 'now' | 'epochMs'>
}

export type AuthResult = 'allowed' | 'unauthenticated' | 'forbidden' | 'limited'

/** One series of `nereid_auth_requests`. */
export interface AuthCount {
  /** '' = no key, or one that nobody has. */
  readonly keyId: string
  readonly result: AuthResult
  readonly value: number
}

/** Who may do what, by the entries of a key file. What no entry allows is refused, except for the health probes. */
export interface KeyAccess extends Access {
  /** The same for the metrics port, which is no operation of the protocol. */
  authorizeMetrics(caller: Caller): AccessRefusal | null
  /** Puts other entries in force at once, also for streams that are open. What was counted stays. */
  replace(entries: readonly KeyEntry[]): void
  counts(): readonly AuthCount[]
}

interface Ring {
  readonly byTag: ReadonlyMap<string, KeyPrincipal>
  readonly byCertificate: ReadonlyMap<string, KeyPrincipal>
}

export function createKeyAccess(options: KeyAccessOptions): KeyAccess {
  const { hasher, clock } = options
  const states: KeyStates = new Map()
  const failures = new Failures()
  const strangers = { unauthenticated: 0, limited: 0 }
  let ring = makeRing(options.entries)

  function makeRing(entries: readonly KeyEntry[]): Ring {
    const byTag = new Map<string, KeyPrincipal>()
    const byCertificate = new Map<string, KeyPrincipal>()
    const ids = new Set(entries.map(({ id }) => id))
    for (const id of states.keys()) if (!ids.has(id)) states.delete(id)
    for (const entry of entries) {
      const state = states.get(entry.id) ?? new KeyState()
      states.set(entry.id, state)
      const Kind = entry.maxInflight > 0 ? CappedPrincipal : KeyPrincipal
      const principal = new Kind(entry, state, clock, current)
      if (entry.hash === '') byCertificate.set(entry.certificate, principal)
      else byTag.set(hasher.tag(entry.hash), principal)
    }
    return { byTag, byCertificate }
  }

  /** What is in force now for the key or certificate of `entry`. */
  function current({ hash, certificate }: KeyEntry): KeyPrincipal | undefined {
    return hash === '' ? ring.byCertificate.get(certificate) : ring.byTag.get(hasher.tag(hash))
  }

  function find(caller: Caller): KeyPrincipal | undefined {
    const key = credentialOf(caller)
    if (key === undefined) {
      return caller.certificate === '' ? undefined : ring.byCertificate.get(caller.certificate)
    }
    const digest = hasher.digest(key)
    const principal = ring.byTag.get(hasher.tag(digest))
    return principal !== undefined && sameText(digest, principal.entry.hash) ? principal : undefined
  }

  function admit(
    caller: Caller,
    what: string,
    requirement: Requirement,
    model: string,
  ): KeyPrincipal | AccessRefusal {
    const principal = find(caller)
    if (principal === undefined || !principal.isValid) return refuseStranger(caller, what)
    return principal.admit(what, requirement, model) ?? principal
  }

  function refuseStranger(caller: Caller, what: string): AccessRefusal {
    const guessed = caller.header('authorization') !== undefined
    const early = guessed ? failures.count(caller.address, clock.now()) : 0
    if (early > 0) {
      strangers.limited++
      const seconds = retryAfterSecs(early)
      return {
        kind: 'limited',
        message: `too many requests with unknown keys, try again in ${seconds} s`,
        retryAfterSecs: seconds,
      }
    }
    strangers.unauthenticated++
    return { kind: 'unauthenticated', message: `operation '${what}' needs a valid key` }
  }

  return {
    authorize({ operation, model, caller }: AccessRequest) {
      const requirement = REQUIREMENT_OF[operation]
      return requirement === 'open' ? ANYBODY : admit(caller, operation, requirement, model)
    },
    authorizeMetrics(caller) {
      const outcome = admit(caller, 'metrics', 'metrics', '')
      return isRefusal(outcome) ? outcome : null
    },
    replace(entries) {
      ring = makeRing(entries)
    },
    counts() {
      const counts: AuthCount[] = [
        { keyId: '', result: 'unauthenticated', value: strangers.unauthenticated },
        { keyId: '', result: 'limited', value: strangers.limited },
      ]
      for (const [keyId, { allowed, forbidden, limited }] of states) {
        counts.push({ keyId, result: 'allowed', value: allowed })
        counts.push({ keyId, result: 'forbidden', value: forbidden })
        counts.push({ keyId, result: 'limited', value: limited })
      }
      return counts
    },
  }
}

/** One entry as front ends see it: made once per entry, not per request. */
class KeyPrincipal implements Principal {
  readonly entry: KeyEntry
  readonly id: string
  readonly priorityFloor: number
  protected readonly state: KeyState
  readonly #clock: Pick<Clock, 'now' | 'epochMs'>
  readonly #current: (entry: KeyEntry) => KeyPrincipal | undefined

  constructor(
    entry: KeyEntry,
    state: KeyState,
    clock: Pick<Clock, 'now' | 'epochMs'>,
    current: (entry: KeyEntry) => KeyPrincipal | undefined,
  ) {
    this.entry = entry
    this.id = entry.id
    this.priorityFloor = entry.priorityFloor
    this.state = state
    this.#clock = clock
    this.#current = current
  }

  get isValid(): boolean {
    const now = this.#clock.epochMs()
    return now >= this.entry.notBefore && now < this.entry.notAfter
  }

  sees(model: string): boolean {
    return scopesSee(this.entry.scopes, model)
  }

  recheck(operation: Operation, model: string): AccessRefusal | null {
    const now = this.#current(this.entry)
    if (now === undefined || now.id !== this.id || !now.isValid) {
      return {
        kind: 'unauthenticated',
        message: `operation '${operation}' needs a key that is still valid`,
      }
    }
    return now.admit(operation, REQUIREMENT_OF[operation], model)
  }

  /** Counts the outcome; null = it may. */
  admit(what: string, requirement: Requirement, model: string): AccessRefusal | null {
    const { entry, state } = this
    if (!scopesMeet(entry.scopes, requirement, model)) {
      state.forbidden++
      const where = model === '' ? '' : ` on model '${model}'`
      return { kind: 'forbidden', message: `operation '${what}'${where} is not allowed` }
    }
    if (entry.rps > 0) {
      const early = state.rate.take(this.#clock.now(), entry.rps, entry.burst)
      if (early > 0) {
        state.limited++
        const seconds = retryAfterSecs(early)
        return {
          kind: 'limited',
          message: `too many requests, try again in ${seconds} s`,
          retryAfterSecs: seconds,
        }
      }
    }
    state.allowed++
    return null
  }
}

/** One whose requests in flight are counted. */
class CappedPrincipal extends KeyPrincipal {
  enter(): AccessRefusal | null {
    const { state } = this
    const { maxInflight } = this.entry
    if (state.inflight >= maxInflight) {
      state.limited++
      return {
        kind: 'limited',
        message: `too many requests in flight, the limit is ${maxInflight}`,
        retryAfterSecs: 1,
      }
    }
    state.inflight++
    return null
  }

  leave(): void {
    this.state.inflight--
  }
}
