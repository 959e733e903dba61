import { FlagError } from './flag-types.ts'
import { metricsSetting, parseBoolean } from './flag-values.ts'

export interface MetricsConfig {
  readonly counterLatencies: boolean
  readonly summaryLatencies: boolean
  readonly histogramLatencies: boolean
  readonly summaryQuantiles: readonly number[]
  readonly warnings: readonly string[]
}

/** Triton's quantiles of a summary; their errors (0.05, 0.01, 0.001 …) have no use in a t-digest. */
export const DEFAULT_QUANTILES: readonly number[] = [0.5, 0.9, 0.95, 0.99, 0.999]

/** Reads the values of `--metrics-config`. An unknown setting is a warning, as it has no effect in Triton. */
export function metricsConfig(values: readonly string[]): MetricsConfig {
  let counterLatencies = true
  let summaryLatencies = false
  let histogramLatencies = false
  let summaryQuantiles = DEFAULT_QUANTILES
  const warnings: string[] = []
  for (const text of values) {
    const { key, value } = metricsSetting(text)
    switch (key) {
      case 'counter_latencies':
        counterLatencies = parseBoolean(value)
        break
      case 'summary_latencies':
        summaryLatencies = parseBoolean(value)
        break
      case 'summary_quantiles':
        summaryQuantiles = parseQuantiles(value)
        break
      case 'histogram_latencies':
        histogramLatencies = parseBoolean(value)
        break
      default:
        warnings.push(`--metrics-config ${key} is not a known setting and has no effect`)
    }
  }
  return { counterLatencies, summaryLatencies, histogramLatencies, summaryQuantiles, warnings }
}

/** `0.5:0.05,0.9:0.01`: quantiles and the errors Triton allows them. */
function parseQuantiles(text: string): readonly number[] {
  const quantiles = text.split(',').map((pair) => {
    const [quantile, error, ...rest] = pair.split(':').map(Number)
    const fine =
      quantile !== undefined &&
      error !== undefined &&
      rest.length === 0 &&
      quantile > 0 &&
      quantile < 1 &&
      error >= 0 &&
      error <= 1
    if (!fine) {
      throw new FlagError(
        `--metrics-config summary_quantiles expects <quantile>:<error> pairs between 0 and 1, separated by commas. Got ${text}`,
      )
    }
    return quantile
  })
  return [...new Set(quantiles)].sort((a, b) => a - b)
}
