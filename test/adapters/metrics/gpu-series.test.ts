import { afterEach, expect, test } from 'vitest'
import { promMetrics } from '../../../adapters/metrics/prom.ts'
import { ServerError } from '../../../core/errors.ts'
import type { FakeBackendOptions } from '../../helpers/fake-backend.ts'
import { type ServeOptions, type Serving, serve } from '../../helpers/serve.ts'
import { type ParsedFamily, parsePrometheus } from './prometheus-text.ts'

const UUIDS = ['GPU-zero', 'GPU-one']
const IO = `
backend: "fake"
max_batch_size: 8
input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
`
const GPU = (gpu: number): string =>
  `instance_group [ { kind: KIND_GPU count: 2 gpus: [ ${gpu} ] } ]`

let serving: Serving | undefined
afterEach(() => serving?.close())

async function started(
  config: string,
  backend: FakeBackendOptions = {},
  server?: ServeOptions['server'],
): Promise<Serving> {
  serving = await serve({
    models: { m: IO + config },
    backend: { gpus: [0, 1], ...backend },
    ...(server === undefined ? {} : { server }),
  })
  return serving
}

async function infer(rows = 1): Promise<number> {
  const data = new Array(rows * 2).fill(1)
  const answer = await fetch(`${serving?.url}/v2/models/m/infer`, {
    method: 'POST',
    body: JSON.stringify({
      inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [rows, 2], data }],
    }),
  })
  await answer.arrayBuffer()
  return answer.status
}

async function scrape(gpuUuid?: (device: number) => string | undefined) {
  if (serving === undefined) throw new Error('nothing serves')
  const { server, log } = serving
  const metrics = promMetrics({ server, log, gpuUuid, processMetrics: false })
  try {
    return parsePrometheus(await metrics.text())
  } finally {
    metrics.close()
  }
}

/** Values of a family by `gpu_uuid`; '' has none. */
function byGpu(
  families: ReadonlyMap<string, ParsedFamily>,
  name: string,
  reason?: string,
): Record<string, number> {
  const values: Record<string, number> = {}
  for (const { labels, value } of families.get(name)?.samples ?? []) {
    if (labels['reason'] === reason) values[labels['gpu_uuid'] ?? ''] = value
  }
  return values
}

const uuid = (device: number): string | undefined => UUIDS[device]

test('what ran on a GPU is counted with its gpu_uuid, and not without, all series from the load on', async () => {
  await started(GPU(1))
  expect(byGpu(await scrape(uuid), 'nv_inference_count')).toEqual({ '': 0, 'GPU-one': 0 })
  for (const rows of [1, 3]) expect(await infer(rows)).toBe(200)
  const families = await scrape(uuid)
  expect(byGpu(families, 'nv_inference_count')).toEqual({ '': 0, 'GPU-one': 4 })
  expect(byGpu(families, 'nv_inference_exec_count')).toEqual({ '': 0, 'GPU-one': 2 })
  expect(byGpu(families, 'nv_inference_request_success')).toEqual({ '': 0, 'GPU-one': 2 })
  const took = byGpu(families, 'nv_inference_request_duration_us')
  expect(took['']).toBe(0)
  expect(took['GPU-one']).toBeGreaterThan(0)
  expect(byGpu(families, 'nv_inference_pending_request_count')).toEqual({ '': 0, 'GPU-one': 0 })
  const order = families.get('nv_inference_count')?.samples.map(({ labels }) => Object.keys(labels))
  expect(order).toEqual([
    ['model', 'version'],
    ['gpu_uuid', 'model', 'version'],
  ])
})

test('instances of one model on the CPU and on several GPUs are told apart, and are the whole together', async () => {
  await started(
    'instance_group [ { kind: KIND_CPU count: 1 }, { kind: KIND_GPU gpus: [ 0, 1 ] count: 1 } ]',
    { durationNs: 1 },
  )
  await Promise.all(Array.from({ length: 30 }, () => infer()))
  const counts = byGpu(await scrape(uuid), 'nv_inference_count')
  expect(Object.keys(counts)).toEqual(['', 'GPU-zero', 'GPU-one'])
  expect(Object.values(counts).reduce((sum, one) => sum + one)).toBe(30)
  const { stats } = serving?.server.model('m', '') ?? expect.unreachable()
  expect(counts['GPU-one']).toBe(stats.devices.get(1)?.inferenceCount)
  expect(stats.inferenceCount).toBe(30)
})

test('where no GPU has a uuid, everything is counted without', async () => {
  await started(GPU(0))
  await infer()
  expect(byGpu(await scrape(), 'nv_inference_count')).toEqual({ '': 1 })
  expect(
    byGpu(await scrape((device) => (device === 1 ? 'other' : undefined)), 'nv_inference_count'),
  ).toEqual({ '': 1 })
})

test('a failure on a GPU is its own; a request that is refused before has no GPU', async () => {
  const { backend } = await started(GPU(0), {
    compute: () => new ServerError('INTERNAL', 'the device is lost'),
  })
  expect(backend).toBeDefined()
  expect(await infer()).toBe(500)
  const families = await scrape(uuid)
  expect(byGpu(families, 'nv_inference_request_failure', 'BACKEND')).toEqual({
    '': 0,
    'GPU-zero': 1,
  })
  expect(byGpu(families, 'nv_inference_request_failure', 'OTHER')).toEqual({ '': 0, 'GPU-zero': 0 })
})

test('the GPU is known also where instances take turns, and where batches are made', async () => {
  await started(`${GPU(1)}\ndynamic_batching {}`, {}, { rateLimit: { resources: [] } })
  await Promise.all(Array.from({ length: 5 }, () => infer()))
  expect(byGpu(await scrape(uuid), 'nv_inference_count')).toEqual({ '': 0, 'GPU-one': 5 })
})
