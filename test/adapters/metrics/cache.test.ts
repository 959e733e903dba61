import { expect, test } from 'vitest'
import { cacheMetrics } from '../../../adapters/cache/metrics.ts'
import { type PromOptions, promMetrics } from '../../../adapters/metrics/prom.ts'
import { localCache } from '../../../core/cache/local-cache.ts'
import type { ServedModel } from '../../../core/server-types.ts'
import { fakeModel, fakeServer, succeed } from './fake-models.ts'
import { parsePrometheus } from './prometheus-text.ts'

const silent = { error: () => {}, warning: () => {}, info: () => {}, verbose: () => {} }

/** `name{model}` → figure, of every family with this in its name. */
async function figures(
  models: ServedModel[],
  part: string,
  use: () => void = () => {},
  options: Partial<PromOptions> = {},
) {
  const metrics = promMetrics({
    server: fakeServer(models),
    log: silent,
    processMetrics: false,
    ...options,
  })
  use()
  const families = parsePrometheus(await metrics.text())
  metrics.close()
  const found: Record<string, number> = {}
  for (const [name, { samples }] of families) {
    if (!name.includes(part)) continue
    for (const sample of samples) {
      const { model, quantile } = sample.labels
      found[`${sample.name}{${[model, quantile].filter((one) => one !== undefined).join()}}`] =
        sample.value
    }
  }
  return found
}

function cachedModel(name: string): ServedModel {
  const model = fakeModel(name, 1)
  model.stats.cached = true
  return model
}

test('METRIC-09: a model with a cache has its hits and misses, one without has none', async () => {
  const model = cachedModel('c')
  model.stats.recordCacheMiss(5000)
  model.stats.recordCacheHit(9000, 0, 2000)
  model.stats.recordCacheHit(9000, 0, 2500)
  model.stats.cacheSkipped = 3
  expect(await figures([model, fakeModel('m', 1)], 'nv_cache')).toEqual({
    'nv_cache_num_hits_per_model{c}': 2,
    'nv_cache_hit_duration_per_model{c}': 4,
    'nv_cache_num_misses_per_model{c}': 1,
    'nv_cache_miss_duration_per_model{c}': 5,
  })
  expect(await figures([model, fakeModel('m', 1)], 'nereid_cache_skipped')).toEqual({
    'nereid_cache_skipped_per_model{c}': 3,
  })
})

test('a hit is a successful request that was no inference', async () => {
  const model = cachedModel('c')
  succeed(model, 100)
  model.stats.recordCacheHit(50_000, 7000, 1000)
  const all = await figures([model], 'nv_inference')
  expect(all).toMatchObject({
    'nv_inference_request_success{c}': 2,
    'nv_inference_count{c}': 1,
    'nv_inference_exec_count{c}': 1,
    'nv_inference_request_duration_us{c}': 150,
    'nv_inference_queue_duration_us{c}': 17,
  })
})

test('they go with the other latency counters', async () => {
  expect(
    await figures([cachedModel('c')], 'nv_cache', undefined, { counterLatencies: false }),
  ).toEqual({})
})

test("summaries of hits and misses come in the place of the requests', as with Triton", async () => {
  const model = cachedModel('c')
  const plain = fakeModel('m', 1)
  const all = await figures(
    [model, plain],
    '_summary',
    () => {
      model.stats.recordCacheHit(50_000, 7000, 2000)
      model.stats.recordCacheMiss(3000)
    },
    { summaryQuantiles: [0.5] },
  )
  expect(all).toMatchObject({
    'nv_cache_hit_summary_per_model{c,0.5}': 2,
    'nv_cache_hit_summary_per_model_count{c}': 1,
    'nv_cache_miss_summary_per_model_sum{c}': 3,
    'nv_inference_queue_summary_us_sum{c}': 7,
    'nv_inference_request_summary_us_count{m}': 0,
  })
  expect(Object.keys(all).filter((name) => /^nv_inference_request_.*\{c/.test(name))).toEqual([])
  expect(Object.keys(all).filter((name) => /^nv_cache_.*\{m/.test(name))).toEqual([])
})

test('what the cache holds is shown, and nothing of one in another process', async () => {
  const cache = localCache({ size: 100_000 })
  cache.put('key', {
    outputs: [{ name: 'Y', datatype: 'UINT8', shape: [1], data: new Uint8Array(1) }],
  })
  const shown = await figures([], 'nereid_cache', undefined, { machine: () => cacheMetrics(cache) })
  expect(shown).toEqual({
    'nereid_cache_entries{}': 1,
    'nereid_cache_bytes{}': cache.figures?.().bytes,
    'nereid_cache_evictions{}': 0,
  })
  const { figures: _, ...elsewhere } = cache
  expect(cacheMetrics(elsewhere)).toEqual([])
  expect(cacheMetrics(undefined)).toEqual([])
})
