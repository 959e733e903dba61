import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type PromOptions, promMetrics } from '../../../adapters/metrics/prom.ts'
import type { ServedModel } from '../../../core/server-types.ts'
import { FirstResponseHistogram } from '../../../core/stats.ts'
import { fakeModel, fakeServer, succeed } from './fake-models.ts'
import { type ParsedFamily, parsePrometheus } from './prometheus-text.ts'

const silent = { error: () => {}, warning: () => {}, info: () => {}, verbose: () => {} }

function metricsOf(models: ServedModel[], options: Partial<PromOptions> = {}) {
  return promMetrics({
    server: fakeServer(models),
    log: silent,
    processMetrics: false,
    ...options,
  })
}

async function scrape(models: ServedModel[], options: Partial<PromOptions> = {}) {
  const metrics = metricsOf(models, options)
  try {
    return parsePrometheus(await metrics.text())
  } finally {
    metrics.close()
  }
}

function figureOf(
  families: ReadonlyMap<string, ParsedFamily>,
  name: string,
  labels: Record<string, string>,
  sample = name,
): number | undefined {
  return families.get(name)?.samples.find((one) => one.name === sample && same(one.labels, labels))
    ?.value
}

const same = (a: object, b: object): boolean => {
  const sorted = (labels: object) => JSON.stringify(Object.entries(labels).sort())
  return sorted(a) === sorted(b)
}

const ONE = { model: 'm', version: '1' }

test('a model that was never called has every series of Triton, at zero', async () => {
  const families = await scrape([fakeModel('m', 1)])
  for (const [name, type] of [
    ['nv_inference_request_success', 'counter'],
    ['nv_inference_count', 'counter'],
    ['nv_inference_exec_count', 'counter'],
    ['nv_inference_request_duration_us', 'counter'],
    ['nv_inference_queue_duration_us', 'counter'],
    ['nv_inference_compute_input_duration_us', 'counter'],
    ['nv_inference_compute_infer_duration_us', 'counter'],
    ['nv_inference_compute_output_duration_us', 'counter'],
    ['nv_inference_pending_request_count', 'gauge'],
    ['nv_model_load_duration_secs', 'gauge'],
  ]) {
    expect(families.get(name as string)).toMatchObject({
      type,
      samples: [{ name, labels: ONE, value: 0 }],
    })
  }
  for (const reason of ['REJECTED', 'CANCELED', 'BACKEND', 'OTHER']) {
    expect(figureOf(families, 'nv_inference_request_failure', { ...ONE, reason })).toBe(0)
  }
})

test('what was counted is shown: requests, inferences, executions, microseconds, waiting', async () => {
  const model = fakeModel('m', 1)
  succeed(model, 100, 4)
  succeed(model, 300, 2)
  model.stats.recordFailure('REJECTED', 5)
  model.stats.recordFailure('BACKEND', 5)
  model.stats.recordFailure('BACKEND', 5)
  model.stats.loadSeconds = 1.5
  model.pending = 7
  const families = await scrape([model])
  expect(figureOf(families, 'nv_inference_request_success', ONE)).toBe(2)
  expect(figureOf(families, 'nv_inference_count', ONE)).toBe(6)
  expect(figureOf(families, 'nv_inference_exec_count', ONE)).toBe(2)
  expect(figureOf(families, 'nv_inference_request_duration_us', ONE)).toBe(400)
  expect(figureOf(families, 'nv_inference_queue_duration_us', ONE)).toBe(40)
  expect(figureOf(families, 'nv_inference_compute_input_duration_us', ONE)).toBe(80)
  expect(figureOf(families, 'nv_inference_compute_infer_duration_us', ONE)).toBe(120)
  expect(figureOf(families, 'nv_inference_compute_output_duration_us', ONE)).toBe(160)
  expect(figureOf(families, 'nv_inference_pending_request_count', ONE)).toBe(7)
  expect(figureOf(families, 'nv_model_load_duration_secs', ONE)).toBe(1.5)
  const failures = families.get('nv_inference_request_failure')?.samples ?? []
  expect(failures.map((one) => [one.labels['reason'], one.value])).toEqual([
    ['REJECTED', 1],
    ['CANCELED', 0],
    ['BACKEND', 2],
    ['OTHER', 0],
  ])
})

test('histograms are cumulative, in seconds, and agree with their count and sum', async () => {
  const model = fakeModel('m', 1)
  for (const us of [1, 16, 17, 1000, 100_000_000]) succeed(model, us)
  const families = await scrape([model])
  const name = 'nereid_inference_request_duration_seconds'
  const bucket = (le: string) => figureOf(families, name, { ...ONE, le }, `${name}_bucket`)
  expect(families.get(name)?.type).toBe('histogram')
  expect(bucket('0.000016')).toBe(2)
  expect(bucket('0.000032')).toBe(3)
  expect(bucket('0.000512')).toBe(3)
  expect(bucket('0.001024')).toBe(4)
  expect(bucket('67.108864')).toBe(4)
  expect(bucket('+Inf')).toBe(5)
  expect(figureOf(families, name, ONE, `${name}_count`)).toBe(5)
  expect(figureOf(families, name, ONE, `${name}_sum`)).toBeCloseTo(100.001034, 6)
  for (const other of ['queue', 'compute']) {
    expect(families.get(`nereid_inference_${other}_duration_seconds`)?.type).toBe('histogram')
  }
})

test('the time to the first response is there for decoupled models, when it is asked for', async () => {
  const [streams, other] = [fakeModel('m', 1), fakeModel('other', 1)]
  streams.stats.firstResponse = new FirstResponseHistogram()
  for (const ms of [50, 100.9, 101, 400, 9000]) streams.stats.firstResponse.add(ms * 1e6)
  const name = 'nv_inference_first_response_histogram_ms'
  expect((await scrape([streams, other])).has(name)).toBe(false)
  const families = await scrape([streams, other], { histogramLatencies: true })
  const bucket = (le: string) => figureOf(families, name, { ...ONE, le }, `${name}_bucket`)
  expect(['100', '500', '2000', '5000', '+Inf'].map(bucket)).toEqual([2, 4, 4, 4, 5])
  expect(figureOf(families, name, ONE, `${name}_sum`)).toBe(9651)
  expect(figureOf(families, name, ONE, `${name}_count`)).toBe(5)
  expect(families.get(name)?.samples.every(({ labels }) => labels['model'] === 'm')).toBe(true)
})

test('series are labelled by version and tags, in alphabetical order', async () => {
  const metrics = metricsOf([fakeModel('m', 2, { team: 'vision', area: 'eu' }), fakeModel('a', 1)])
  const text = await metrics.text()
  expect(text).toContain(
    'nv_inference_request_success{area="eu",model="m",team="vision",version="2"} 0',
  )
  expect(text).toContain(
    'nv_inference_request_failure{area="eu",model="m",reason="OTHER",team="vision",version="2"} 0',
  )
  expect(text.indexOf('nv_inference_count{model="a"')).toBeLessThan(
    text.indexOf('nv_inference_count{area'),
  )
})

test('tags that would clash, are no labels, or are too many or too long are left out', async () => {
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`t${i}`, 'x']))
  const families = await scrape([
    fakeModel('m', 1, {
      model: 'other',
      le: '1',
      'no label': 'x',
      __name__: 'x',
      ok: 'y'.repeat(129),
    }),
    fakeModel('n', 1, many),
  ])
  const samples = families.get('nv_inference_count')?.samples ?? []
  expect(samples[0]?.labels).toEqual(ONE)
  expect(Object.keys(samples[1]?.labels ?? {})).toHaveLength(18)
})

test('label values survive the text format, whatever they hold', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }), async (name) => {
      const families = await scrape([fakeModel(name, 1)])
      expect(families.get('nv_inference_count')?.samples[0]?.labels['model']).toBe(name)
    }),
    { numRuns: 300, seed: 11 },
  )
})

test('a model that is unloaded takes its series with it, summaries too', async () => {
  const models = [fakeModel('m', 1), fakeModel('n', 1)]
  const metrics = metricsOf(models, { summaryQuantiles: [0.5] })
  expect(await metrics.text()).toContain('model="m"')
  models.shift()
  const text = await metrics.text()
  expect(text).not.toContain('model="m"')
  expect(text).toContain('nv_inference_request_summary_us{model="n",version="1",quantile="0.5"}')
  metrics.close()
})

test('counter latencies can be switched off', async () => {
  const families = await scrape([fakeModel('m', 1)], { counterLatencies: false })
  expect([...families.keys()].filter((name) => name.endsWith('_duration_us'))).toEqual([])
  expect(families.has('nv_inference_request_success')).toBe(true)
})

describe('summaries', () => {
  test('are absent unless they are asked for', async () => {
    const model = fakeModel('m', 1)
    const families = await scrape([model])
    expect([...families.keys()].filter((name) => name.includes('summary'))).toEqual([])
    expect(model.stats.observer).toBeNull()
  })

  test('give the quantiles of every phase, in microseconds', async () => {
    const model = fakeModel('m', 1)
    const metrics = metricsOf([model], { summaryQuantiles: [0.5, 0.99] })
    for (let us = 1; us <= 1000; us++) succeed(model, us)
    const families = parsePrometheus(await metrics.text())
    const name = 'nv_inference_request_summary_us'
    const quantile = (q: string) => figureOf(families, name, { ...ONE, quantile: q })
    expect(families.get(name)?.type).toBe('summary')
    expect(quantile('0.5')).toBeGreaterThan(480)
    expect(quantile('0.5')).toBeLessThan(520)
    expect(quantile('0.99')).toBeGreaterThan(980)
    expect(figureOf(families, name, ONE, `${name}_count`)).toBe(1000)
    expect(figureOf(families, name, ONE, `${name}_sum`)).toBe(500_500)
    for (const phase of ['queue', 'compute_input', 'compute_infer', 'compute_output']) {
      expect(families.has(`nv_inference_${phase}_summary_us`)).toBe(true)
    }
    metrics.close()
  })

  test('have no quantile before anything was observed', async () => {
    const families = await scrape([fakeModel('m', 1)], { summaryQuantiles: [0.5] })
    expect(
      figureOf(families, 'nv_inference_request_summary_us', { ...ONE, quantile: '0.5' }),
    ).toBeNaN()
  })
})

describe('beyond the most series of one answer', () => {
  const models = Array.from({ length: 20 }, (_, i) => fakeModel(`m${i}`, 1))

  test('the rest is left out, counted, and told once', async () => {
    const warnings: string[] = []
    const metrics = metricsOf(models, {
      maxSeries: 30,
      log: { ...silent, warning: (text) => warnings.push(text) },
    })
    await metrics.text()
    const families = parsePrometheus(await metrics.text())
    const shown = [...families].filter(([name]) => name !== 'nereid_metrics_dropped')
    const count = shown.reduce((sum, [, family]) => sum + family.samples.length, 0)
    expect(count).toBe(30)
    expect(figureOf(families, 'nereid_metrics_dropped', {})).toBeGreaterThan(1000)
    expect(warnings).toEqual([expect.stringMatching(/leave out \d+ series.*max-series=30/)])
  })

  test('within it nothing is left out', async () => {
    const families = await scrape(models, { maxSeries: 10_000 })
    expect(figureOf(families, 'nereid_metrics_dropped', {})).toBe(0)
  })
})

test('figures of the process and its event loop come along', async () => {
  const families = await scrape([], { processMetrics: true })
  expect(families.get('process_resident_memory_bytes')?.samples[0]?.value).toBeGreaterThan(1e6)
  expect(families.has('nodejs_eventloop_lag_seconds')).toBe(true)
  expect(families.has('nv_inference_count')).toBe(false)
})
