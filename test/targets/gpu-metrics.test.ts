import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { compileNvml } from '../native/nvml/standin.ts'
import { ROOT, serve, stopAll } from './child.ts'

const nvml = compileNvml()
const folder = mkdtempSync(join(tmpdir(), 'gpu-metrics-'))
afterEach(stopAll)
afterAll(() => {
  nvml?.remove()
  rmSync(folder, { recursive: true, force: true })
})

const environment = (more: Record<string, string> = {}): Record<string, string> => ({
  LD_LIBRARY_PATH: nvml?.folder ?? '',
  ...more,
})
const scrape = async (url: string): Promise<string> => (await fetch(url)).text()
const figure = (text: string, name: string, uuid: string): number | undefined => {
  const line = text.split('\n').find((one) => one.startsWith(`${name}{gpu_uuid="${uuid}"}`))
  return line === undefined ? undefined : Number(line.split(' ')[1])
}
const FIRST = 'GPU-11111111-2222-3333-4444-555555555555'
const SECOND = 'GPU-66666666-7777-8888-9999-000000000000'

test.skipIf(nvml === undefined)('what the driver tells of its GPUs is in the metrics', async () => {
  const calls = join(folder, 'calls')
  const { metricsUrl, ...server } = await serve(
    [],
    environment({ NVML_STANDIN_CALLS: calls, NEREID_METRICS_INTERVAL_MS: '100' }),
  )
  const text = await scrape(metricsUrl)
  expect(figure(text, 'nv_gpu_utilization', FIRST)).toBe(0.37)
  expect(figure(text, 'nv_gpu_memory_total_bytes', FIRST)).toBe(85_899_345_920)
  expect(figure(text, 'nv_gpu_memory_used_bytes', FIRST)).toBe(21_474_836_480)
  expect(figure(text, 'nv_gpu_power_usage', FIRST)).toBe(123.456)
  expect(figure(text, 'nv_gpu_power_limit', FIRST)).toBe(700)
  // 2.5 J for every reading since the first, whatever was used before.
  const energy = figure(text, 'nv_energy_consumption', FIRST) ?? Number.NaN
  expect(energy % 2.5).toBe(0)
  expect(energy).toBeLessThan(5000)
  expect(text).toContain('# TYPE nv_energy_consumption counter')
  expect(figure(text, 'nv_gpu_utilization', SECOND)).toBe(0)
  // It has no such counter.
  expect(figure(text, 'nv_energy_consumption', SECOND)).toBeUndefined()

  server.process.kill('SIGTERM')
  expect((await server.ended).code).toBe(0)
  expect(readFileSync(calls, 'utf8')).toBe('init\nshutdown\n')
})

test.skipIf(nvml === undefined)('metrics of GPUs can be left out', async () => {
  const { metricsUrl } = await serve(['--allow-gpu-metrics=false'], environment())
  const text = await scrape(metricsUrl)
  expect(text).toContain('nv_cpu_utilization')
  expect(text).not.toContain('nv_gpu')
})

test.skipIf(nvml === undefined)(
  'a driver that cannot be used is told, and does no harm',
  async () => {
    const { metricsUrl, log } = await serve([], environment({ NVML_STANDIN_FAIL: '9' }))
    expect(log()).toContain('no GPUs and no metrics of them: NVML: Driver Not Loaded')
    expect(await scrape(metricsUrl)).not.toContain('nv_gpu')
  },
)

test.skipIf(nvml === undefined)('no model is loaded on a GPU that is too full', async () => {
  const models = join(folder, 'models')
  cpSync(join(ROOT, 'models/digits'), join(models, 'digits'), { recursive: true })
  const config = join(models, 'digits/config.pbtxt')
  writeFileSync(config, readFileSync(config, 'utf8').replace('KIND_CPU', 'KIND_GPU gpus: [ 0 ]'))
  const flags = [`--model-repository=${models}`, '--exit-on-error=false']
  // A quarter of it is used.
  const full = await serve([...flags, '--model-load-gpu-limit=0:0.2'], environment())
  expect(full.log()).toContain(
    "can not create model 'digits_0': memory limit set for GPU 0 has exceeded, model loading is rejected.",
  )
  const room = await serve([...flags, '--model-load-gpu-limit=0:0.3'], environment())
  expect(room.log()).toMatch(/failed to load 'digits'/)
  expect(room.log()).not.toContain('memory limit')
})

test('without a driver there are no such metrics and nothing is said', async () => {
  const { metricsUrl, log } = await serve([], { LD_LIBRARY_PATH: '/nowhere' })
  if ((await scrape(metricsUrl)).includes('nv_gpu')) return console.log('skipped: there is a GPU')
  expect(log()).not.toContain('NVML')
})

test.skipIf(nvml === undefined)(
  'models on a GPU are counted with its gpu_uuid, unless GPUs have no metrics',
  async () => {
    const models = join(folder, 'placed')
    mkdirSync(join(models, 'echo/1'), { recursive: true })
    writeFileSync(
      join(models, 'echo/config.pbtxt'),
      `backend: "identity"
     input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ 1 ] } ]
     output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 1 ] } ]
     instance_group [ { kind: KIND_GPU gpus: [ 1 ] } ]`,
    )
    const body = JSON.stringify({
      inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1], data: [1] }],
    })
    const countsAfterOne = async (...flags: string[]): Promise<string[]> => {
      const server = await serve([`--model-repository=${models}`, ...flags], environment())
      const answer = await fetch(`${server.url}/v2/models/echo/infer`, { method: 'POST', body })
      expect(answer.status).toBe(200)
      const lines = (await scrape(server.metricsUrl)).split('\n')
      return lines.filter((line) => line.startsWith('nv_inference_count{'))
    }
    expect(await countsAfterOne()).toEqual([
      'nv_inference_count{model="echo",version="1"} 0',
      `nv_inference_count{gpu_uuid="${SECOND}",model="echo",version="1"} 1`,
    ])
    expect(await countsAfterOne('--allow-gpu-metrics=false')).toEqual([
      'nv_inference_count{model="echo",version="1"} 1',
    ])
  },
)
