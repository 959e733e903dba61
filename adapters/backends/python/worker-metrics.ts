import { ServerError } from '../../../core/errors.ts'
import {
  type CustomFamily,
  type CustomMetrics,
  type CustomSeries,
  changeSeries,
  MAX_FAMILIES,
  MAX_SERIES,
  readSeries,
} from './custom-metrics.ts'
import type { Message } from './messages.ts'
import { errorJson } from './peer-messages.ts'

interface Held {
  readonly family: CustomFamily
  readonly series: CustomSeries
  /** The worker's number of the family. */
  readonly of: number
}

/** What one worker has of the models' metrics; it is gone with the worker. */
export class WorkerMetrics {
  readonly #metrics: CustomMetrics
  readonly #families: Map<number, CustomFamily> = new Map()
  readonly #series: Map<number, Held> = new Map()

  constructor(metrics: CustomMetrics) {
    this.#metrics = metrics
  }

  /** Carries out what a message asks; the JSON of the answer, '' = none is asked for. */
  message(message: Message): string {
    const { ask } = message
    let tail: string
    try {
      const value = this.#carryOut(message)
      tail = value === undefined ? '' : `,"value":${value}`
    } catch (error) {
      tail = `,"error":${errorJson(ServerError.from(error))}`
    }
    if (typeof ask !== 'number') return ''
    return `{"kind":"metric","ask":${ask}${tail}}`
  }

  /** Idempotent. */
  close(): void {
    for (const { family, series } of this.#series.values())
      this.#metrics.closeSeries(family, series)
    this.#series.clear()
    for (const family of this.#families.values()) this.#metrics.closeFamily(family)
    this.#families.clear()
  }

  #carryOut(message: Message): number | undefined {
    const { action, family, metric, value } = message
    switch (action) {
      case 'family': {
        if (this.#families.size >= MAX_FAMILIES) throw tooMany(MAX_FAMILIES, 'metric families')
        const { name, description, type } = message
        const opened = this.#metrics.openFamily(name, description, type)
        this.#keep(this.#families, family, opened, () => this.#metrics.closeFamily(opened))
        return undefined
      }
      case 'metric': {
        if (this.#series.size >= MAX_SERIES) throw tooMany(MAX_SERIES, 'metrics')
        const of = this.#families.get(family as number)
        if (of === undefined) throw gone()
        const series = this.#metrics.openSeries(of, message.labels, message.buckets)
        const held = { family: of, series, of: family as number }
        this.#keep(this.#series, metric, held, () => this.#metrics.closeSeries(of, series))
        return undefined
      }
      case 'increment':
      case 'set':
      case 'observe': {
        const { family: of, series } = this.#held(metric)
        changeSeries(series, of.family.type, action, value)
        return undefined
      }
      case 'value': {
        const { family: of, series } = this.#held(metric)
        return readSeries(series, of.family.type)
      }
      case 'drop':
        if (metric === undefined) this.#dropFamily(family as number)
        else this.#dropSeries(metric as number)
        return undefined
      default:
        throw new ServerError('UNSUPPORTED', 'metrics have no such action')
    }
  }

  #keep<T>(map: Map<number, T>, key: unknown, value: T, undo: () => void): void {
    if (typeof key === 'number' && !map.has(key)) {
      map.set(key, value)
      return
    }
    undo()
    throw new ServerError('INVALID_ARG', 'a metric needs a number of its own')
  }

  #held(metric: unknown): Held {
    const held = this.#series.get(metric as number)
    if (held === undefined) throw gone()
    return held
  }

  #dropSeries(metric: number): void {
    const held = this.#series.get(metric)
    if (held === undefined) return
    this.#series.delete(metric)
    this.#metrics.closeSeries(held.family, held.series)
  }

  #dropFamily(number: number): void {
    const family = this.#families.get(number)
    if (family === undefined) return
    for (const [metric, { of }] of this.#series) if (of === number) this.#dropSeries(metric)
    this.#families.delete(number)
    this.#metrics.closeFamily(family)
  }
}

function tooMany(most: number, what: string): ServerError {
  return new ServerError('UNAVAILABLE', `a model instance has up to ${most} ${what}`)
}

function gone(): ServerError {
  return new ServerError(
    'INVALID_ARG',
    'Could not change metric value. Metric has been invalidated.',
  )
}
