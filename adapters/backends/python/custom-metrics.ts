import { ServerError } from '../../../core/errors.ts'
import type { Family } from '../../../core/metrics/families.ts'
import type { FamilySamples, Sample } from '../../../core/metrics/model-series.ts'

/** Families and series that one instance may have, and what their texts and lists may be long. */
export const MAX_FAMILIES = 256
export const MAX_SERIES = 4096
export const MAX_LABELS = 32
export const MAX_TEXT = 1024
export const MAX_BUCKETS = 256

const FAMILY_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
/** Families of the server itself. */
const RESERVED = /^(nv|nereid|process|nodejs)_/
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/

export type CustomKind = 'counter' | 'gauge' | 'histogram'

/** One series: what a model counts. */
export interface CustomSeries {
  readonly labels: Readonly<Record<string, string>>
  value: number
  /** Of a histogram: upper bounds, and how many observations lie below each and above the one before. */
  readonly bounds: readonly number[]
  readonly counts: number[]
  users: number
}

export interface CustomFamily {
  readonly family: Family & { readonly type: CustomKind }
  readonly series: Map<string, CustomSeries>
  users: number
}

/** Metrics that models make, of all instances together: those of the same name and labels are one. */
export class CustomMetrics {
  readonly #families: Map<string, CustomFamily> = new Map()

  families(): readonly FamilySamples[] {
    return [...this.#families.values()].map(({ family, series }) => ({
      family,
      samples: [...series.values()].flatMap((one) => samplesOf(one, family.type)),
    }))
  }

  /** The first description stays. Throws INVALID_ARG, with Triton's texts, for what is no family, or one of another type. */
  openFamily(name: unknown, help: unknown, type: unknown): CustomFamily {
    if (typeof name !== 'string' || !FAMILY_NAME.test(name) || name.length > MAX_TEXT) {
      throw refuse('Invalid metric name')
    }
    if (RESERVED.test(name)) throw refuse(`metric families '${RESERVED.source}' are the server's`)
    if (typeof help !== 'string' || help.length > MAX_TEXT) {
      throw refuse(`the description of a metric family has up to ${MAX_TEXT} characters`)
    }
    if (type !== 'counter' && type !== 'gauge' && type !== 'histogram') {
      throw refuse('Unsupported kind passed to MetricFamily constructor.')
    }
    let found = this.#families.get(name)
    if (found === undefined) {
      found = { family: { name, type, help }, series: new Map(), users: 0 }
      this.#families.set(name, found)
    } else if (found.family.type !== type) {
      throw refuse('Family name already exists with different type')
    }
    found.users++
    return found
  }

  closeFamily(family: CustomFamily): void {
    if (--family.users === 0) this.#families.delete(family.family.name)
  }

  /** Throws INVALID_ARG for what are no labels or bounds. */
  openSeries(family: CustomFamily, labels: unknown, buckets: unknown): CustomSeries {
    const checked = labelsOf(labels)
    const bounds = boundsOf(buckets, family.family.type)
    const key = JSON.stringify(Object.entries(checked))
    let found = family.series.get(key)
    if (found === undefined) {
      const counts = new Array<number>(bounds.length + 1).fill(0)
      found = { labels: checked, value: 0, bounds, counts, users: 0 }
      family.series.set(key, found)
    }
    found.users++
    return found
  }

  closeSeries(family: CustomFamily, series: CustomSeries): void {
    if (--series.users === 0) family.series.delete(JSON.stringify(Object.entries(series.labels)))
  }
}

/** Changes a series as its kind allows. Throws with Triton's texts. */
export function changeSeries(
  series: CustomSeries,
  kind: CustomKind,
  action: 'increment' | 'set' | 'observe',
  value: unknown,
): void {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw refuse('a metric has numbers')
  if (action === 'observe' ? kind !== 'histogram' : kind === 'histogram') throw cannot(kind, action)
  if (action === 'set') {
    if (kind !== 'gauge') throw cannot(kind, action)
    series.value = value
    return
  }
  if (kind === 'counter' && value < 0) {
    throw refuse(
      'TRITONSERVER_METRIC_KIND_COUNTER can only be incremented monotonically by non-negative values.',
    )
  }
  series.value += value
  if (kind !== 'histogram') return
  const at = series.bounds.findIndex((bound) => value <= bound)
  const index = at < 0 ? series.bounds.length : at
  series.counts[index] = (series.counts[index] ?? 0) + 1
}

/** Throws with Triton's text for a histogram. */
export function readSeries(series: CustomSeries, kind: CustomKind): number {
  if (kind === 'histogram') throw cannot(kind, 'value')
  return series.value
}

function samplesOf({ labels, value, bounds, counts }: CustomSeries, kind: CustomKind): Sample[] {
  if (kind !== 'histogram') return [{ labels, value }]
  let below = 0
  const buckets = counts.map((count, i): Sample => {
    below += count
    const bound = bounds[i]
    const le = bound === undefined ? '+Inf' : String(bound)
    return { labels: { ...labels, le }, value: below, suffix: '_bucket' }
  })
  return [{ labels, value: below, suffix: '_count' }, { labels, value, suffix: '_sum' }, ...buckets]
}

function labelsOf(labels: unknown): Readonly<Record<string, string>> {
  if (typeof labels !== 'object' || labels === null) throw refuse('labels are an object')
  const entries = Object.entries(labels)
  if (entries.length > MAX_LABELS) throw refuse(`a metric has up to ${MAX_LABELS} labels`)
  for (const [name, value] of entries) {
    if (!LABEL_NAME.test(name) || name.startsWith('__') || name.length > MAX_TEXT) {
      throw refuse(`'${name.slice(0, 80)}' is no name of a label`)
    }
    if (typeof value !== 'string' || value.length > MAX_TEXT) {
      throw refuse(`label '${name}' has a value that is no text, or a long one`)
    }
  }
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function boundsOf(buckets: unknown, kind: CustomKind): readonly number[] {
  if (kind !== 'histogram') return []
  if (!Array.isArray(buckets) || buckets.length > MAX_BUCKETS) {
    throw refuse(`a histogram has up to ${MAX_BUCKETS} buckets`)
  }
  for (let i = 0; i < buckets.length; i++) {
    const rises = i === 0 || buckets[i] > buckets[i - 1]
    if (typeof buckets[i] !== 'number' || !rises) throw refuse('buckets are numbers that rise')
  }
  return buckets as readonly number[]
}

function cannot(kind: CustomKind, action: string): ServerError {
  const what = action.charAt(0).toUpperCase() + action.slice(1)
  const name = `TRITONSERVER_METRIC_KIND_${kind.toUpperCase()}`
  return new ServerError('UNSUPPORTED', `${name} does not support ${what}`)
}

function refuse(message: string): ServerError {
  return new ServerError('INVALID_ARG', message)
}
