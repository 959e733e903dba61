import { collectDefaultMetrics, type Metric, Registry, Summary } from 'prom-client'
import {
  DROPPED_FAMILY,
  type Family,
  SUMMARY_FAMILIES,
  type SummaryKey,
} from '../../core/metrics/families.ts'
import {
  type FamilySamples,
  type ModelSeriesOptions,
  modelLabels,
  modelSeries,
  type Sample,
} from '../../core/metrics/model-series.ts'
import type { Log } from '../../core/platform.ts'
import type { InferenceServer, ServedModel } from '../../core/server-types.ts'
import type { ModelStats, RequestTimes } from '../../core/stats.ts'

export interface PromOptions extends ModelSeriesOptions {
  readonly server: Pick<InferenceServer, 'models' | 'generation'>
  readonly log: Log
  /** Figures of the machine, read at each scrape. */
  readonly machine?: () => readonly FamilySamples[]
  /** Figures of this process and its event loop. Default true. */
  readonly processMetrics?: boolean
  /** `--metrics-max-series`. Default {@link DEFAULT_MAX_SERIES}. */
  readonly maxSeries?: number
  /** Quantiles of the latency summaries; absent = no summaries. */
  readonly summaryQuantiles?: readonly number[]
}

export interface PromMetrics {
  readonly contentType: string
  /** One answer in Prometheus' text format. */
  text(): Promise<string>
  /** Stops watching for new models. Idempotent. */
  close(): void
}

export const DEFAULT_MAX_SERIES = 10_000
/** Triton's window of a summary: five buckets that cover a minute. */
const SUMMARY_AGE_SECONDS = 60
const SUMMARY_AGE_BUCKETS = 5
/** How soon a model that was loaded is summarised. */
const WATCH_MS = 250

const SUMMARY_KEYS = Object.keys(SUMMARY_FAMILIES) as SummaryKey[]
type ModelSummaries = Readonly<Record<SummaryKey, Summary>>
const TIMES = [
  'requestNs',
  'queueNs',
  'computeInputNs',
  'computeInferNs',
  'computeOutputNs',
] as const satisfies (keyof RequestTimes)[]

/**
 * The metrics of `options.server`. Nothing here is on the way of a request: counters are read from the models'
 * statistics when somebody scrapes. Only summaries, where they are asked for, see every request.
 */
export function promMetrics(options: PromOptions): PromMetrics {
  const own = new Registry()
  if (options.processMetrics !== false) {
    collectDefaultMetrics({ register: own, eventLoopMonitoringPrecision: 20 })
  }
  const maxSeries = options.maxSeries ?? DEFAULT_MAX_SERIES
  const quantiles = options.summaryQuantiles
  const summaries = new WeakMap<ModelStats, ModelSummaries>()
  let warned = false
  let seen = -1
  let watch: NodeJS.Timeout | undefined

  function summarise(): void {
    if (quantiles === undefined || options.server.generation === seen) return
    seen = options.server.generation
    for (const { stats } of options.server.models()) {
      if (summaries.has(stats)) continue
      const record = newSummaries(quantiles)
      summaries.set(stats, record)
      stats.observer = (times) => {
        for (const key of TIMES) record[key].observe(times[key] / 1000)
      }
      stats.cacheObserver = (kind, ns, queueNs) => {
        record[kind === 'hit' ? 'cacheHitNs' : 'cacheMissNs'].observe(ns / 1000)
        if (kind === 'hit') record.queueNs.observe(queueNs / 1000)
      }
    }
  }
  if (quantiles !== undefined) {
    summarise()
    watch = setInterval(summarise, WATCH_MS).unref()
  }

  async function summarySeries(models: readonly ServedModel[]): Promise<readonly FamilySamples[]> {
    const families: FamilySamples[] = []
    for (const key of SUMMARY_KEYS) {
      const family = SUMMARY_FAMILIES[key]
      const samples: Sample[] = []
      for (const model of models) {
        const summary = summaries.get(model.stats)?.[key]
        if (summary !== undefined && shown(key, model))
          samples.push(...(await summarySamples(summary, model)))
      }
      if (samples.length > 0) families.push({ family, samples })
    }
    return families
  }

  async function text(): Promise<string> {
    summarise()
    const models = [...options.server.models()]
    const families = [
      ...modelSeries(models, options),
      ...(await summarySeries(models)),
      ...(options.machine?.() ?? []),
    ]
    const { kept, dropped } = capSeries(families, maxSeries)
    if (dropped > 0 && !warned) {
      warned = true
      options.log.warning(
        `metrics leave out ${dropped} series because of --metrics-max-series=${maxSeries}`,
      )
    }
    const scrape = new Registry()
    for (const one of [
      ...kept,
      { family: DROPPED_FAMILY, samples: [{ labels: {}, value: dropped }] },
    ]) {
      scrape.registerMetric(metricOf(one))
    }
    const parts = [await scrape.metrics()]
    if (options.processMetrics !== false) parts.push(await own.metrics())
    return parts.join('')
  }

  return {
    contentType: 'text/plain; charset=utf-8',
    text,
    close: () => clearInterval(watch),
  }
}

/** Triton's choice: what a hit and a miss take comes in the place of what a request takes. */
function shown(key: SummaryKey, { stats }: ServedModel): boolean {
  if (key === 'requestNs') return !stats.cached
  return stats.cached || (key !== 'cacheHitNs' && key !== 'cacheMissNs')
}

function newSummaries(percentiles: readonly number[]): ModelSummaries {
  const summary = ({ name, help }: Family): Summary =>
    new Summary({
      name,
      help,
      percentiles: [...percentiles],
      maxAgeSeconds: SUMMARY_AGE_SECONDS,
      ageBuckets: SUMMARY_AGE_BUCKETS,
      registers: [],
    })
  return {
    requestNs: summary(SUMMARY_FAMILIES.requestNs),
    queueNs: summary(SUMMARY_FAMILIES.queueNs),
    computeInputNs: summary(SUMMARY_FAMILIES.computeInputNs),
    computeInferNs: summary(SUMMARY_FAMILIES.computeInferNs),
    computeOutputNs: summary(SUMMARY_FAMILIES.computeOutputNs),
    cacheHitNs: summary(SUMMARY_FAMILIES.cacheHitNs),
    cacheMissNs: summary(SUMMARY_FAMILIES.cacheMissNs),
  }
}

async function summarySamples(summary: Summary, model: ServedModel): Promise<Sample[]> {
  const labels = modelLabels(model)
  const { values } = await summary.get()
  const count = values.find((value) => value.metricName?.endsWith('_count'))?.value ?? 0
  return values.map((value) => {
    const quantile = value.labels['quantile']
    if (quantile === undefined) {
      const suffix = value.metricName?.endsWith('_sum') ? '_sum' : '_count'
      return { labels, value: value.value, suffix }
    }
    // Nothing observed: there is no quantile, not one of zero.
    const figure = count === 0 ? Number.NaN : value.value
    return { labels: { ...labels, quantile: String(quantile) }, value: figure }
  })
}

/** Whole families while they fit, then as many of the next one's series as are left. */
function capSeries(
  families: readonly FamilySamples[],
  max: number,
): { kept: readonly FamilySamples[]; dropped: number } {
  const kept: FamilySamples[] = []
  let room = max
  let dropped = 0
  for (const { family, samples } of families) {
    const taken = samples.slice(0, room)
    room -= taken.length
    dropped += samples.length - taken.length
    if (taken.length > 0) kept.push({ family, samples: taken })
  }
  return { kept, dropped }
}

/** A metric object as the registry wants it: it is asked once, when the text is made. */
function metricOf({ family, samples }: FamilySamples): Metric {
  const metric = {
    name: family.name,
    get: () =>
      Promise.resolve({
        name: family.name,
        help: family.help,
        type: family.type,
        aggregator: 'sum',
        values: samples.map(({ labels, value, suffix }) => ({
          labels,
          value,
          ...(suffix === undefined ? {} : { metricName: family.name + suffix }),
        })),
      }),
  }
  // The registry's type wants its own classes; it uses no more of them than this.
  return metric as unknown as Metric
}
