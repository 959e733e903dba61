import type { FamilySamples, Sample } from '../../core/metrics/model-series.ts'
import { DIFFERENCE_BOUNDS } from '../../core/traffic/shadow-record.ts'
import type { ShadowFigures, TrafficControl } from '../../core/traffic/types.ts'

/** Weights of the versions that share traffic, and what became of the requests that were copied. */
export function trafficMetrics(traffic: TrafficControl | undefined): readonly FamilySamples[] {
  const weights: Sample[] = []
  const shadows: Sample[] = []
  const differences: Sample[] = []
  for (const { model, versions, ...state } of traffic?.all() ?? []) {
    for (const { version, weight } of versions) {
      weights.push({ labels: { model, version: String(version) }, value: weight })
    }
    for (const figures of state.shadows) {
      const version = String(figures.version)
      for (const [outcome, value] of Object.entries(figures.outcomes)) {
        shadows.push({ labels: { model, outcome, version }, value })
      }
      differences.push(...histogram({ model, version }, figures))
    }
  }
  const families: FamilySamples[] = [
    {
      family: {
        name: 'nereid_traffic_weight',
        type: 'gauge',
        help: 'Weight of a version among those that share the requests of their model',
      },
      samples: weights,
    },
    {
      family: {
        name: 'nereid_shadow_requests',
        type: 'counter',
        help: 'Number of requests that were copied for a shadow version, by what became of the copy',
      },
      samples: shadows,
    },
    {
      family: {
        name: 'nereid_shadow_difference',
        type: 'histogram',
        help: 'Largest absolute difference between the answers of a version and its shadow',
      },
      samples: differences,
    },
  ]
  return families.filter(({ samples }) => samples.length > 0)
}

function histogram(
  labels: Readonly<Record<string, string>>,
  { difference }: ShadowFigures,
): Sample[] {
  let below = 0
  const buckets = difference.counts.map((count, i): Sample => {
    below += count
    const bound = DIFFERENCE_BOUNDS[i]
    const le = bound === undefined ? '+Inf' : String(bound)
    return { labels: { ...labels, le }, value: below, suffix: '_bucket' }
  })
  return [
    ...buckets,
    { labels, value: difference.sum, suffix: '_sum' },
    { labels, value: difference.count, suffix: '_count' },
  ]
}
