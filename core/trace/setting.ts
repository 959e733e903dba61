import { OFF } from './level.ts'
import type { FinishedTrace, TraceCollector, TraceFacts, TraceValues } from './types.ts'

/** Which of the values were set here; the others follow the enclosing level. */
export type Specified = { readonly [K in keyof TraceValues]: boolean }

/** Values in force and the sampler that follows them. Replaced as a whole when they change; its traces end with it. */
export class TraceSetting {
  readonly specified: Specified
  readonly #values: TraceValues
  readonly #valid: boolean
  readonly #collector: TraceCollector
  #count: number
  #seen = 0
  #open = 0
  #retired = false

  /** One that is not valid samples only what is forced. */
  constructor(
    values: TraceValues,
    specified: Specified,
    collector: TraceCollector,
    valid: boolean = true,
  ) {
    this.#values = values
    this.#valid = valid
    this.#count = values.count
    this.specified = specified
    this.#collector = collector
  }

  /** `count` as it is by now. */
  get values(): TraceValues {
    return { ...this.#values, count: this.#count }
  }

  get level(): number {
    return this.#values.level
  }

  /** Whether requests are sampled without asking for it. */
  get sampling(): boolean {
    return this.#valid && this.#values.level !== OFF && this.#count !== 0
  }

  /** Whether the next request is traced; `forced` ones are whatever the rate is. Each true is to be followed by {@link finish}. */
  sample(forced: boolean): boolean {
    const { level, rate } = this.#values
    if (level === OFF) return false
    let hit = false
    if (rate !== 0) {
      if ((this.#count === 0 || !this.#valid) && !forced) return false
      hit = ++this.#seen % rate === 0 && this.#count !== 0
      if (hit && this.#count > 0) this.#count--
    }
    if (!hit && !forced) return false
    this.#open++
    return true
  }

  /** A sampled request is over; null = there is nothing to tell of it. */
  finish(trace: FinishedTrace | null): void {
    this.#open--
    if (trace !== null) this.#collector.collect(trace)
    this.#rest()
  }

  /** No more requests are sampled by it. */
  retire(): void {
    this.#retired = true
    this.#rest()
  }

  #rest(): void {
    const over = this.#retired || (this.#count === 0 && this.#values.count > 0)
    if (over && this.#open === 0) this.#collector.retire()
  }
}

/** Why values that are not off can not be; '' = they can. */
export function invalidReason({ level, rate }: TraceValues, { mode, file }: TraceFacts): string {
  if (level === OFF) return ''
  if (rate === 0) return 'sample rate must be non-zero'
  return mode === 'triton' && file === '' ? 'trace file name is not given' : ''
}
