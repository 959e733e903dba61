import type { Clock } from '../../../core/platform.ts'

/** A deadline that can be put off. */
export class Patience {
  readonly #clock: Clock
  #ms = 0
  #late: (() => void) | null = null
  #stop: (() => void) | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  start(ms: number, late: () => void): void {
    this.#ms = ms
    this.#late = late
    this.renew()
  }

  /** Counts from now. */
  renew(): void {
    this.#stop?.()
    this.#stop = null
    const late = this.#late
    if (late !== null) this.#stop = this.#clock.after(this.#ms * 1e6, late)
  }

  pause(): void {
    this.#stop?.()
    this.#stop = null
  }

  /** Counts from now where it was paused. */
  resume(): void {
    if (this.#stop === null) this.renew()
  }

  end(): void {
    this.pause()
    this.#late = null
  }
}
