import type { KeepaliveOptions } from './types.ts'

/** A connection without calls should not be pinged more often than this unless that was permitted (gRPC's rule). */
const IDLE_PING_INTERVAL_MS = 2 * 60 * 60 * 1000
/** Ages are spread by this part of them, so that connections made together do not end together. */
const AGE_JITTER = 0.1

/** What a sweep finds to do. */
export type KeepaliveDuty = 'none' | 'ping' | 'dead' | 'retire' | 'cut'

/** gRPC's rules for pings and ages of one connection: its own pings, the peer's, and its retirement. */
export class Keepalive {
  readonly #options: KeepaliveOptions
  readonly #retireAt: number
  #lastInput: number
  #pingSent = Number.POSITIVE_INFINITY
  #cutAt = Number.POSITIVE_INFINITY
  #retired = false
  #lastPing = Number.NEGATIVE_INFINITY
  #strikes = 0

  /** `random` is in [0, 1). */
  constructor(options: KeepaliveOptions, now: number, random: number) {
    this.#options = options
    this.#lastInput = now
    const age = options.maxConnectionAgeMs
    this.#retireAt =
      age > 0 ? now + age * (1 - AGE_JITTER + 2 * AGE_JITTER * random) : Number.POSITIVE_INFINITY
  }

  /** What is due `now`; `heard`: the peer sent something since the last time. */
  sweep(now: number, heard: boolean, hasCalls: boolean): KeepaliveDuty {
    if (now >= this.#cutAt) return 'cut'
    if (now >= this.#retireAt && !this.#retired) {
      this.#retired = true
      this.#cutAt =
        this.#options.maxConnectionAgeGraceMs > 0
          ? now + this.#options.maxConnectionAgeGraceMs
          : Number.POSITIVE_INFINITY
      return 'retire'
    }
    if (heard) {
      this.#lastInput = now
      this.#pingSent = Number.POSITIVE_INFINITY
      return 'none'
    }
    if (this.#pingSent !== Number.POSITIVE_INFINITY) {
      return now - this.#pingSent >= this.#options.timeoutMs ? 'dead' : 'none'
    }
    if (now - this.#lastInput < this.#options.timeMs) return 'none'
    if (!hasCalls && !this.#options.permitWithoutCalls) return 'none'
    this.#pingSent = now
    return 'ping'
  }

  /** The peer pinged. `sent`: we sent a response since its last ping, which pardons it. True: too many. */
  pinged(now: number, sent: boolean, hasCalls: boolean): boolean {
    if (sent) {
      this.#lastPing = Number.NEGATIVE_INFINITY
      this.#strikes = 0
    }
    const interval =
      hasCalls || this.#options.permitWithoutCalls
        ? this.#options.minRecvPingIntervalWithoutDataMs
        : IDLE_PING_INTERVAL_MS
    const early = now < this.#lastPing + interval
    this.#lastPing = now
    if (!early) return false
    this.#strikes++
    return this.#options.maxPingStrikes > 0 && this.#strikes > this.#options.maxPingStrikes
  }
}
