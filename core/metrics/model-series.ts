import type { ServedModel } from '../server-types.ts'
import {
  FAILURE_REASONS,
  HISTOGRAM_FIRST_POWER,
  type LatencyHistogram,
  type ModelStats,
} from '../stats.ts'
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
  /**
   * The `gpu_uuid` of a device. What ran on one that has it is counted by series with that label and not by those without, as
   * Triton does. Default: no device has any.
   */
  readonly gpuUuid?: ((device: number) => string | undefined) | undefined
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
    const samples = all.flatMap((model) => READERS[key](model, devicesOf(model, options)))
    if (samples.length > 0) families.push({ family, samples })
  }
  return families
}

/** What ran on one GPU, of whose series `uuid` is the label. */
interface Device {
  readonly uuid: string
  readonly stats: ModelStats
}

function devicesOf({ stats }: ServedModel, { gpuUuid }: ModelSeriesOptions): readonly Device[] {
  const devices: Device[] = []
  for (const [index, own] of stats.devices) {
    const uuid = gpuUuid?.(index)
    if (uuid !== undefined) devices.push({ uuid, stats: own })
  }
  return devices
}

type Reader = (model: ServedModel, devices: readonly Device[]) => Sample[]

/** One series of what ran nowhere in particular, and one of each device. */
function split(
  model: ServedModel,
  devices: readonly Device[],
  read: (stats: ModelStats) => number,
  extra: Readonly<Record<string, string>> = {},
): Sample[] {
  let rest = read(model.stats)
  const samples = devices.map(({ uuid, stats }): Sample => {
    const value = read(stats)
    rest -= value
    return { labels: modelLabels(model, { ...extra, gpu_uuid: uuid }), value }
  })
  return [{ labels: modelLabels(model, extra), value: rest }, ...samples]
}

const counter =
  (read: (stats: ModelStats) => number): Reader =>
  (model, devices) =>
    split(model, devices, read)

/** What is known of the model alone: devices have it at 0, as with Triton. */
const gauge =
  (read: (model: ServedModel) => number): Reader =>
  (model, devices) => [
    { labels: modelLabels(model), value: read(model) },
    ...devices.map(({ uuid }) => ({ labels: modelLabels(model, { gpu_uuid: uuid }), value: 0 })),
  ]

/** Figures of the cache: only of models whose responses it keeps. */
const cached =
  (read: Reader): Reader =>
  (model, devices) =>
    model.stats.cached ? read(model, devices) : []

const micros = (read: (stats: ModelStats) => { readonly ns: number }): Reader =>
  counter((stats) => Math.floor(read(stats).ns / 1000))

const READERS: Readonly<Record<ModelFamilyKey, Reader>> = {
  success: counter((stats) => stats.success.count),
  failure: (model, devices) =>
    FAILURE_REASONS.flatMap((reason) =>
      split(model, devices, (stats) => stats.failures[reason], { reason }),
    ),
  count: counter((stats) => stats.inferenceCount),
  execCount: counter((stats) => stats.executionCount),
  requestUs: micros((stats) => stats.success),
  queueUs: micros((stats) => stats.queue),
  computeInputUs: micros((stats) => stats.computeInput),
  computeInferUs: micros((stats) => stats.computeInfer),
  computeOutputUs: micros((stats) => stats.computeOutput),
  pending: gauge((model) => model.pending),
  loadSeconds: gauge((model) => model.stats.loadSeconds),
  cacheHits: cached(counter((stats) => stats.cacheHit.count)),
  cacheHitUs: cached(micros((stats) => stats.cacheHit)),
  cacheMisses: cached(counter((stats) => stats.cacheMiss.count)),
  cacheMissUs: cached(micros((stats) => stats.cacheMiss)),
  cacheSkipped: cached(counter((stats) => stats.cacheSkipped)),
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
