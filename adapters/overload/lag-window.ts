/** So many ticks are looked at, however long ago they were: one long turn alone is no overload. */
const MIN_TICKS = 3

/** How late the ticks of the last while came. */
export class LagWindow {
  readonly #spanMs: number
  readonly #at: number[] = []
  readonly #late: number[] = []

  constructor(spanMs: number) {
    this.#spanMs = spanMs
  }

  add(nowMs: number, lateMs: number): void {
    this.#at.push(nowMs)
    this.#late.push(lateMs)
    while (this.#at.length > MIN_TICKS && (this.#at[0] as number) < nowMs - this.#spanMs) {
      this.#at.shift()
      this.#late.shift()
    }
  }

  /** The median, milliseconds; 0 while there are too few ticks to tell. */
  get median(): number {
    if (this.#late.length < MIN_TICKS) return 0
    const sorted = [...this.#late].sort((a, b) => a - b)
    return sorted[sorted.length >> 1] as number
  }
}
