import { ServerError } from '../errors.ts'
import { OFF } from './level.ts'
import { invalidReason, type Specified, TraceSetting } from './setting.ts'
import type { TraceChange, TraceCollector, TraceFacts, TraceValues } from './types.ts'

const FIELDS = ['level', 'rate', 'count', 'logFrequency'] as const
const NOTHING: Specified = { level: false, rate: false, count: false, logFrequency: false }

/**
 * Settings for all and for single models. What was not set for a model is as it is for all, later changes of that included;
 * what was not set for all is as the server was started.
 */
export class TraceSettings {
  readonly #start: TraceValues
  readonly #facts: TraceFacts
  readonly #collector: (values: TraceValues) => TraceCollector
  readonly #models = new Map<string, TraceSetting>()
  #global: TraceSetting

  constructor(
    start: TraceValues,
    facts: TraceFacts,
    collector: (values: TraceValues) => TraceCollector,
  ) {
    this.#start = start
    this.#facts = facts
    this.#collector = collector
    // What the server is started with is not refused.
    const valid = invalidReason(start, facts) === ''
    this.#global = new TraceSetting(start, NOTHING, collector(start), valid)
  }

  /** What is in force for `model`; '' = for all. */
  of(model: string): TraceSetting {
    return this.#models.get(model) ?? this.#global
  }

  /** Whether a sampler may say yes; `forced` says whether requests can ask for it. */
  active(forced: boolean): boolean {
    if (mayTrace(this.#global, forced)) return true
    for (const setting of this.#models.values()) if (mayTrace(setting, forced)) return true
    return false
  }

  /** Throws INVALID_ARG for values that contradict each other; nothing has changed then. */
  update(model: string, change: TraceChange): void {
    if (model !== '') {
      this.#place(model, this.#changed(this.#models.get(model), this.#global.values, change))
      return
    }
    const global = this.#changed(this.#global, this.#start, change)
    const followers = [...this.#models].map(([name, setting]) => {
      return [name, this.#changed(setting, global.values, {})] as const
    })
    this.#global.retire()
    this.#global = this.#made(global)
    for (const [name, next] of followers) this.#place(name, next)
  }

  close(): void {
    this.#global.retire()
    for (const setting of this.#models.values()) setting.retire()
  }

  #changed(current: TraceSetting | undefined, enclosing: TraceValues, change: TraceChange): Next {
    const specified = { ...(current?.specified ?? NOTHING) }
    const values: { -readonly [K in keyof TraceValues]: TraceValues[K] } = { ...enclosing }
    for (const field of FIELDS) {
      const given = change[field]
      if (given === null) specified[field] = false
      else if (given !== undefined) {
        specified[field] = true
        values[field] = given
      } else if (current !== undefined && specified[field]) values[field] = current.values[field]
    }
    const reason = invalidReason(values, this.#facts)
    // A count of nothing is refused as well, and Triton gives no reason for it.
    if (reason !== '' || (change.count === 0 && values.level !== OFF)) {
      throw new ServerError('INVALID_ARG', `Attempting to set invalid trace setting :${reason}`)
    }
    return { values, specified }
  }

  #made({ values, specified }: Next): TraceSetting {
    return new TraceSetting(values, specified, this.#collector(values))
  }

  #place(model: string, next: Next): void {
    this.#models.get(model)?.retire()
    if (FIELDS.some((field) => next.specified[field])) this.#models.set(model, this.#made(next))
    else this.#models.delete(model)
  }
}

interface Next {
  readonly values: TraceValues
  readonly specified: Specified
}

function mayTrace(setting: TraceSetting, forced: boolean): boolean {
  return setting.sampling || (forced && setting.level !== OFF)
}
