import type { ResponseCache } from '../../core/cache/types.ts'
import type { FamilySamples } from '../../core/metrics/model-series.ts'

/** What the response cache of this process holds; nothing for one elsewhere. */
export function cacheMetrics(cache: ResponseCache | undefined): readonly FamilySamples[] {
  const figures = cache?.figures?.()
  if (figures === undefined) return []
  const { entries, bytes, evictions } = figures
  return [
    {
      family: {
        name: 'nereid_cache_entries',
        type: 'gauge',
        help: 'Number of responses in the response cache',
      },
      samples: [{ labels: {}, value: entries }],
    },
    {
      family: {
        name: 'nereid_cache_bytes',
        type: 'gauge',
        help: 'Bytes that the response cache takes',
      },
      samples: [{ labels: {}, value: bytes }],
    },
    {
      family: {
        name: 'nereid_cache_evictions',
        type: 'counter',
        help: 'Number of responses that had to leave the response cache for others',
      },
      samples: [{ labels: {}, value: evictions }],
    },
  ]
}
