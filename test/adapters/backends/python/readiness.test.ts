import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CustomMetrics } from '../../../../adapters/backends/python/custom-metrics.ts'
import { ask, floats, told } from './asks.ts'
import { backend, folder, MISSING, modelOf, serveModels } from './rig.ts'

const IO = `
  input [ { name: "X" data_type: TYPE_FP32 dims: [ -1 ] } ]
  output [ { name: "Y" data_type: TYPE_FP32 dims: [ -1 ] } ]
  instance_group [ { kind: KIND_CPU } ]
`

describe.skipIf(MISSING !== undefined)(`what models in Python tell (${MISSING ?? ''})`, () => {
  test('a model with is_ready is asked whether it is ready, and one that fails to say so is not', async () => {
    const file = join(folder(), 'answer')
    writeFileSync(file, 'True')
    const code = `
class TritonPythonModel:
    def is_ready(self): return eval(open(${JSON.stringify(file)}).read())
    def execute(self, requests): return []
`
    const { server } = await serveModels({ m: { config: IO, code } })
    expect(await server.askModelReady('m', '')).toBe(true)
    writeFileSync(file, 'False')
    expect(await server.askModelReady('m', '')).toBe(false)
    writeFileSync(file, '1 / 0')
    expect(await server.askModelReady('m', '')).toBe(false)
    expect(server.modelReady('m', '')).toBe(true)
    expect(readFileSync(file, 'utf8')).toBe('1 / 0')
  })

  test('metrics of all instances are one, and go with the model', async () => {
    const metrics = new CustomMetrics()
    const code = `
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args):
        self.family = pb_utils.MetricFamily("calls_total", "how often", pb_utils.MetricFamily.COUNTER)
        self.metric = self.family.Metric({"model": "m", "kind": "any"})
        self.metric.increment(2)
        times = pb_utils.MetricFamily("times", "how long", pb_utils.MetricFamily.HISTOGRAM)
        self.times, self.histogram = times, times.Metric({}, buckets=[1, 5])
        for value in (0.5, 3, 9): self.histogram.observe(value)

    def execute(self, requests): return []
`
    const one = backend({ metrics })
    const model = await one.load(modelOf(folder(), 'm', code))
    const cpu = { name: 'm_0', kind: 'KIND_CPU', device: 0 } as const
    const first = await model.instance(cpu, { name: 'm' })
    const second = await model.instance({ ...cpu, name: 'm_1' }, { name: 'm' })
    const [calls, times] = metrics.families()
    expect(calls).toEqual({
      family: { name: 'calls_total', type: 'counter', help: 'how often' },
      samples: [{ labels: { kind: 'any', model: 'm' }, value: 4 }],
    })
    expect(
      times?.samples.map(({ suffix, labels, value }) => [suffix, labels['le'], value]),
    ).toEqual([
      ['_count', undefined, 6],
      ['_sum', undefined, 25],
      ['_bucket', '1', 2],
      ['_bucket', '5', 4],
      ['_bucket', '+Inf', 6],
    ])
    await first.close()
    expect(metrics.families()[0]?.samples[0]?.value).toBe(4)
    await second.close()
    expect(metrics.families()).toEqual([])
    await model.close()
  })

  test('metrics that the server has itself, or of another kind, are refused in words', async () => {
    const code = `
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args):
        pb_utils.MetricFamily("nv_inference_count", "mine", pb_utils.MetricFamily.GAUGE)

    def execute(self, requests): return []
`
    const { server } = await serveModels({ m: { config: IO, code } })
    const [entry] = await server.index(false)
    expect(entry?.reason).toContain('nv|nereid')
  })

  test('a missing Python says what to install', async () => {
    const settings = new Map([['python-runtime', '/nowhere/python3']])
    const source = modelOf(folder(), 'm', 'class TritonPythonModel: pass', { settings })
    await expect(backend().load(source)).rejects.toThrow(
      "there is no '/nowhere/python3': install Python 3.8 or newer with numpy",
    )
  })

  test("names that a shell would read are names, and a model's environment is that of the server", async () => {
    const name = 'a;touch $(id) `id` & b'
    const code = `
import sys
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args): assert args["model_name"] == ${JSON.stringify(name)}, args
    def execute(self, requests):
        y = np.array([len(sys.argv)], np.float32)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", y)]) for _ in requests]
`
    const serving = await serveModels({ [name]: { config: IO, code } })
    expect(await told(ask(serving, name, [floats('X', [1])]))).toEqual([1])
  })

  test('code comes with a load request only where that is allowed, and is gone with its model', async () => {
    const copies = (): number =>
      readdirSync(tmpdir()).filter((name) => name.startsWith('nereid-model-')).length
    const code = `
import numpy as np
import triton_python_backend_utils as pb_utils
from .neighbour import NUMBER

class TritonPythonModel:
    def execute(self, requests):
        y = np.array([NUMBER], np.float32)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", y)]) for _ in requests]
`
    const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
    const files = new Map([
      ['1/model.py', encode(code)],
      ['1/neighbour.py', encode('NUMBER = 9')],
    ])
    const io = { data_type: 'TYPE_FP32', dims: [-1] }
    const config = JSON.stringify({
      backend: 'python',
      input: [{ name: 'X', ...io }],
      output: [{ name: 'Y', ...io }],
    })
    const before = copies()
    const refusing = await serveModels({}, { modelControlMode: 'explicit' })
    await expect(refusing.server.load('m', { config, files })).rejects.toThrow('allow-loaded-code')
    const serving = await serveModels(
      {},
      {
        modelControlMode: 'explicit',
        backendConfig: new Map([['python', new Map([['allow-loaded-code', 'true']])]]),
      },
    )
    await serving.server.load('m', { config, files })
    expect(await told(ask(serving, 'm', [floats('X', [1])]))).toEqual([9])
    expect(copies()).toBe(before + 1)
    await serving.server.close(5_000)
    expect(copies()).toBe(before)
  })
})
