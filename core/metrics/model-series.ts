import type { ServedModel } from '../server-types.ts'
import { FAILURE_REASONS, HISTOGRAM_FIRST_POWER, type LatencyHistogram } from '../stats.ts'
import { COUNTER_LATENCIES, type Family, MODEL_FAMILIES, type ModelFamilyKey } from './families.ts'

/** One line of a metrics answer. `suffix` is `_bucket`, `_sum` or `_count` where the type has them. */
export interface Sample {
  /** In alphabetical order but for `le` and `quantile`, which come last, as Triton prints them. */
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly suffix?: string
}

export interface FamilySamples {
  readonly family: Family
  readonly samples: readonly Sample[]
}

export interface ModelSeriesOptions {
  /** `--metrics-config counter_latencies`. Default true. */
  readonly counterLatencies?: boolean
  /** `--metrics-config histogram_latencies`. Default false. */
  readonly histogramLatencies?: boolean
}

/** `metric_tags` beyond this many of a model are left out. */
export const MAX_METRIC_TAGS = 16
/** Characters of a tag's name and of its value; longer tags are left out. */
export const MAX_METRIC_TAG_LENGTH = 128

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const RESERVED = new Set(['model', 'version', 'reason', 'le', 'quantile', 'gpu_uuid', 'namespace'])

/** `model`, `version` and the config's `metric_tags`, with `extra`, in alphabetical order. */
export function modelLabels(
  model: ServedModel,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const labels: [string, string][] = [
    ['model', model.name],
    ['version', String(model.version)],
    ...Object.entries(extra),
  ]
  let tags = 0
  for (const [name, value] of Object.entries(model.config.metric_tags ?? {})) {
    const fits = name.length <= MAX_METRIC_TAG_LENGTH && value.length <= MAX_METRIC_TAG_LENGTH
    if (!fits || !LABEL_NAME.test(name) || name.startsWith('__') || RESERVED.has(name)) continue
    if (++tags > MAX_METRIC_TAGS) break
    labels.push([name, value])
  }
  labels.sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(labels)
}

/** Reads every counter of `models`. A model that is gone has no series; one that is there has them all, at 0 if need be. */
export function modelSeries(
  models: Iterable<ServedModel>,
  options: ModelSeriesOptions = {},
): readonly FamilySamples[] {
  const all = [...models].sort((a, b) =>
    a.name === b.name ? a.version - b.version : a.name < b.name ? -1 : 1,
  )
  const families: FamilySamples[] = []
  for (const [key, family] of Object.entries(MODEL_FAMILIES) as [ModelFamilyKey, Family][]) {
    if (options.counterLatencies === false && COUNTER_LATENCIES.has(key)) continue
    if (options.histogramLatencies !== true && key === 'firstResponse') continue
    const samples = all.flatMap((model) => READERS[key](model))
    if (samples.length > 0) families.push({ family, samples })
  }
  return families
}

const single =
  (read: (model: ServedModel) => number) =>
  (model: ServedModel): Sample[] => [{ labels: modelLabels(model), value: read(model) }]

/** Figures of the cache: only of models whose responses it keeps. */
const cached =
  (read: (model: ServedModel) => Sample[]) =>
  (model: ServedModel): Sample[] =>
    model.stats.cached ? read(model) : []

const micros = (read: (model: ServedModel) => { readonly ns: number }) =>
  single((model) => Math.floor(read(model).ns / 1000))

const READERS: Readonly<Record<ModelFamilyKey, (model: ServedModel) => Sample[]>> = {
  success: single((model) => model.stats.success.count),
  failure: (model) =>
    FAILURE_REASONS.map((reason) => ({
      labels: modelLabels(model, { reason }),
      value: model.stats.failures[reason],
    })),
  count: single((model) => model.stats.inferenceCount),
  execCount: single((model) => model.stats.executionCount),
  requestUs: micros((model) => model.stats.success),
  queueUs: micros((model) => model.stats.queue),
  computeInputUs: micros((model) => model.stats.computeInput),
  computeInferUs: micros((model) => model.stats.computeInfer),
  computeOutputUs: micros((model) => model.stats.computeOutput),
  pending: single((model) => model.pending),
  loadSeconds: single((model) => model.stats.loadSeconds),
  cacheHits: cached(single((model) => model.stats.cacheHit.count)),
  cacheHitUs: cached(micros((model) => model.stats.cacheHit)),
  cacheMisses: cached(single((model) => model.stats.cacheMiss.count)),
  cacheMissUs: cached(micros((model) => model.stats.cacheMiss)),
  cacheSkipped: cached(single((model) => model.stats.cacheSkipped)),
  requestHistogram: (model) => buckets(model, model.stats.requestHistogram),
  queueHistogram: (model) => buckets(model, model.stats.queueHistogram),
  firstResponse: firstResponseBuckets,
  computeHistogram: (model) => buckets(model, model.stats.computeHistogram),
}

/** Only decoupled models have it. */
function firstResponseBuckets(model: ServedModel): Sample[] {
  const histogram = model.stats.firstResponse
  if (histogram === null) return []
  const labels = modelLabels(model)
  const { boundsMs, counts } = histogram
  const samples: Sample[] = []
  let cumulative = 0
  for (let i = 0; i < counts.length; i++) {
    cumulative += counts[i] as number
    const le = i === boundsMs.length ? '+Inf' : String(boundsMs[i])
    samples.push({ labels: { ...labels, le }, value: cumulative, suffix: '_bucket' })
  }
  samples.push({ labels, value: histogram.sumMs, suffix: '_sum' })
  samples.push({ labels, value: histogram.count, suffix: '_count' })
  return samples
}

/** Cumulative buckets in seconds, `+Inf`, sum and count. */
function buckets(model: ServedModel, histogram: LatencyHistogram): Sample[] {
  const labels = modelLabels(model)
  const samples: Sample[] = []
  let cumulative = 0
  const last = histogram.counts.length - 1
  for (let i = 0; i <= last; i++) {
    cumulative += histogram.counts[i] as number
    const le = i === last ? '+Inf' : String(2 ** (HISTOGRAM_FIRST_POWER + i) / 1e6)
    samples.push({ labels: { ...labels, le }, value: cumulative, suffix: '_bucket' })
  }
  samples.push({ labels, value: histogram.sumNs / 1e9, suffix: '_sum' })
  samples.push({ labels, value: histogram.count, suffix: '_count' })
  return samples
}
