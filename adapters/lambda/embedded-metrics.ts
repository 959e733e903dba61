import type { InferenceServer, ServedModel } from '../../core/server-types.ts'
import type { ModelStats, RequestTimes } from '../../core/stats.ts'

export interface EmbeddedMetricsOptions {
  readonly server: Pick<InferenceServer, 'models' | 'generation'>
  /** The function's name: the first dimension of every figure. */
  readonly functionName: string
  /** Nanoseconds, monotonic. */
  readonly now: () => number
  /** Milliseconds since the epoch. */
  readonly epochMs: () => number
  /** Takes whole lines, line feed included. */
  readonly write: (text: string) => void
  /** Between two reports. Default 10 s. */
  readonly intervalNs?: number
}

export interface EmbeddedMetrics {
  /** Reports when it is time to: Lambda stops the clock between requests, so that every request asks. */
  tick(): void
  /** Reports what was not reported yet. */
  flush(): void
}

/** Models that one report names; what others did comes with the next ones. */
export const MAX_MODELS_PER_REPORT = 100
/** Times that one line may have, of CloudWatch's making. A model that has so many is reported at once. */
export const MAX_TIMES = 100
const INTERVAL_NS = 10e9

const COUNTS = ['Requests', 'Failures', 'Inferences', 'Executions'] as const
const METRICS = [
  ...COUNTS.map((Name) => ({ Name, Unit: 'Count' })),
  { Name: 'RequestTime', Unit: 'Microseconds' },
  { Name: 'ComputeTime', Unit: 'Microseconds' },
]
const DIRECTIVE = [
  { Namespace: 'nereid', Dimensions: [['FunctionName', 'Model', 'Version']], Metrics: METRICS },
]

/** What one version did since its last line. */
interface Since {
  readonly stats: ModelStats
  readonly told: number[]
  readonly request: number[]
  readonly compute: number[]
}

/**
 * Figures of the models as lines that CloudWatch makes metrics of: one line for each version that did something, with the
 * single times of its requests, so that percentiles can be asked for.
 */
export function embeddedMetrics(options: EmbeddedMetricsOptions): EmbeddedMetrics {
  const { server, functionName, now, epochMs, write, intervalNs = INTERVAL_NS } = options
  const watched = new WeakMap<ModelStats, Since>()
  let generation = -1
  let full = false
  let lastNs = Number.NEGATIVE_INFINITY

  const watch = (stats: ModelStats): Since => {
    const since: Since = { stats, told: [0, 0, 0, 0], request: [], compute: [] }
    stats.observer = (times) => {
      if (since.request.length >= MAX_TIMES) return
      since.request.push(times.requestNs / 1000)
      since.compute.push(computeNs(times) / 1000)
      if (since.request.length >= MAX_TIMES) full = true
    }
    return since
  }
  const sinceOf = (stats: ModelStats): Since => {
    let since = watched.get(stats)
    if (since === undefined) {
      since = watch(stats)
      watched.set(stats, since)
    }
    return since
  }
  const watchAll = (): void => {
    if (generation === server.generation) return
    generation = server.generation
    for (const { stats } of server.models()) sinceOf(stats)
  }
  const line = (model: ServedModel): string => {
    const { stats, told, request, compute } = sinceOf(model.stats)
    const counts = countsOf(stats)
    const difference = counts.map((count, i) => count - (told[i] ?? 0))
    if (difference.every((count) => count === 0)) return ''
    told.splice(0, told.length, ...counts)
    const values: Record<string, unknown> = {
      _aws: { Timestamp: epochMs(), CloudWatchMetrics: DIRECTIVE },
      FunctionName: functionName,
      Model: model.name,
      Version: String(model.version),
    }
    for (const [i, name] of COUNTS.entries()) values[name] = difference[i]
    if (request.length > 0) values['RequestTime'] = request.splice(0)
    if (compute.length > 0) values['ComputeTime'] = compute.splice(0)
    return `${JSON.stringify(values)}\n`
  }
  const flush = (): void => {
    lastNs = now()
    full = false
    let lines = 0
    for (const model of server.models()) {
      const text = line(model)
      if (text === '') continue
      write(text)
      lines += 1
      if (lines === MAX_MODELS_PER_REPORT) break
    }
  }

  watchAll()
  return {
    flush,
    tick: () => {
      watchAll()
      if (full || now() - lastNs >= intervalNs) flush()
    },
  }
}

function countsOf({ success, fail, inferenceCount, executionCount }: ModelStats): number[] {
  return [success.count, fail.count, inferenceCount, executionCount]
}

function computeNs(times: RequestTimes): number {
  return times.computeInputNs + times.computeInferNs + times.computeOutputNs
}
