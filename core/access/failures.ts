import { Rate } from './rate.ts'

/** Wrong keys per second and address before they are answered with 429 instead of 401. */
export const FAILURES_PER_SECOND = 10
/** Addresses remembered; beyond it the oldest are forgotten. */
export const FAILURE_ADDRESSES = 4096

/**
 * How often wrong keys come from which address. Only wrong keys are slowed down: many clients may share an address behind a
 * load balancer, and one of them must not lock the others out.
 */
export class Failures {
  readonly #byAddress = new Map<string, Rate>()

  /** Counts one; 0, or how many nanoseconds it came too early. */
  count(address: string, nowNs: number): number {
    let rate = this.#byAddress.get(address)
    if (rate === undefined) {
      this.#makeRoom(nowNs)
      rate = new Rate()
      this.#byAddress.set(address, rate)
    }
    return rate.take(nowNs, FAILURES_PER_SECOND, FAILURES_PER_SECOND)
  }

  #makeRoom(nowNs: number): void {
    if (this.#byAddress.size < FAILURE_ADDRESSES) return
    for (const [address, rate] of this.#byAddress) {
      if (rate.isIdle(nowNs)) this.#byAddress.delete(address)
    }
    for (const address of this.#byAddress.keys()) {
      if (this.#byAddress.size < FAILURE_ADDRESSES) return
      this.#byAddress.delete(address)
    }
  }
}
