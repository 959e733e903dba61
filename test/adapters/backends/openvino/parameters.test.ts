import { afterAll, describe, expect, test } from 'vitest'
import { onnxBackend } from '../../../../adapters/backends/onnx.ts'
import type { Instance } from '../../../../core/backend/types.ts'
import type { ModelConfig } from '../../../../core/config/types.ts'
import type { Tensor } from '../../../../core/tensor.ts'
import { execute, floats, floatsOf, outputOf, requestOf } from '../../../contract/backend.ts'
import { fixture as onnxFixture, realClock } from '../onnx-fixtures.ts'
import { backendOf, fixture, LIBRARY, missing, parameters } from './fixtures.ts'

const cpu = { name: 'test_0', kind: 'KIND_CPU', device: 0 } as const

const tensor = (name: string, shape: number[], values: number[]): Tensor => ({
  name,
  datatype: 'FP32',
  shape,
  data: floats(values),
})

describe.skipIf(LIBRARY === undefined)(`parameters of openvino models${missing}`, () => {
  const backend = backendOf()
  afterAll(() => backend.close?.())

  async function open(name: string, config: ModelConfig) {
    const model = await backend.load(fixture(name, config))
    return { model, instance: await model.instance(cpu, config) }
  }
  const run = async (instance: Instance, inputs: Tensor[], rows = 1) =>
    outputOf(await execute(instance, [requestOf(inputs, rows)]), 'Y')

  test('parameters are those of Triton’s backend, in its words where they are wrong', async () => {
    const wrong = async (values: Record<string, string>) => {
      const model = await backend.load(fixture('static', parameters(values)))
      await model.close()
    }
    for (const [key, value, message] of [
      ['INFERENCE_NUM_THREADS', 'Many', 'to be a non-negative number, got many'],
      ['COMPILATION_NUM_THREADS', '-1', 'to be a non-negative number, got -1'],
      ['HINT_BF16', 'NO', 'to be YES, got no'],
      ['INFERENCE_PRECISION_HINT', 'f7', 'to be f32/f16/bf16, got f7'],
      ['NUM_STREAMS', 'few', 'to be either AUTO/NUMA/<int_value>, got few'],
      ['PERFORMANCE_HINT', 'FAST', 'to be LATENCY/THROUGHPUT/CUMULATIVE_THROUGHPUT, got fast'],
    ] as const) {
      await expect(wrong({ [key]: value })).rejects.toMatchObject({
        code: 'INVALID_ARG',
        message: `expected the parameter '${key}' ${message}`,
      })
    }
    const config = parameters({
      INFERENCE_NUM_THREADS: '1',
      COMPILATION_NUM_THREADS: '1',
      NUM_STREAMS: 'auto',
      PERFORMANCE_HINT: 'throughput',
      TARGET_DEVICE: 'cpu',
    })
    const { model, instance } = await open('static', { max_batch_size: 0, ...config })
    expect(floatsOf(await run(instance, [tensor('X', [1, 3], [1, 2, 3])]))).toEqual([2, 4, 6])
    await model.close()
  })

  test('a device that is not there, and a GPU group, are refused by name', async () => {
    const config = { max_batch_size: 0, ...parameters({ TARGET_DEVICE: 'gpu' }) }
    const model = await backend.load(fixture('static', config))
    await expect(model.instance(cpu, config)).rejects.toThrow(
      /^openvino error in loading model : .*\(model 'static' is for GPU, OpenVINO finds here CPU\)$/,
    )
    await expect(
      model.instance({ name: 'static_0', kind: 'KIND_GPU', device: 0 }, config),
    ).rejects.toThrow(
      "unable to load model 'static', Triton OpenVINO backend supports only Kind CPU and AUTO",
    )
    await model.close()
  })

  test('a config cannot have any library of the disk loaded', async () => {
    const extension = (path: string) =>
      backend.load(fixture('static', parameters({ CPU_EXTENSION_PATH: path })))
    await expect(extension('/lib/libfoo.so')).rejects.toThrow(
      /^CPU_EXTENSION_PATH '\/lib\/libfoo\.so' of model 'static' is not allowed: .*--backend-config=openvino,extensions=\/lib\/libfoo\.so$/,
    )
    await expect(extension('../onnx/make.py')).rejects.toThrow(/path traversal/)
    await expect(extension('absent.so')).rejects.toThrow(/^unable to find CPU_EXTENSION_PATH/)
    await expect(extension('make.py')).rejects.toThrow(
      /^openvino error in {2}loading custom CPU extensions : .*make\.py/,
    )
  })

  test('an ONNX model with the openvino accelerator is run by OpenVINO', async () => {
    const accelerated = (options: Record<string, string>): ModelConfig => ({
      max_batch_size: 8,
      optimization: {
        execution_accelerators: {
          cpu_execution_accelerator: [{ name: 'openvino', parameters: options }],
        },
      },
    })
    const onnx = onnxBackend({ clock: realClock, openVino: backend })
    const config = accelerated({ num_streams: '2', num_of_threads: '1' })
    const model = await onnx.load(onnxFixture('add_sub', config))
    const instance = await model.instance(cpu, config)
    const a = tensor('A', [1, 4], [1, 2, 3, 4])
    const answer = await execute(instance, [requestOf([a, { ...a, name: 'B' }])])
    expect(floatsOf(outputOf(answer, 'SUM'))).toEqual([2, 4, 6, 8])
    // Its own words, not ONNX Runtime's.
    const wrong = await execute(instance, [requestOf([a])])
    expect(wrong).toMatchObject({ message: expect.stringMatching(/^expected the 2 inference/) })
    await expect(onnx.load(onnxFixture('add_sub', accelerated({ colour: 'red' })))).rejects.toThrow(
      "execution accelerator 'openvino' has no option 'colour', it has device_type, num_of_threads, num_streams, precision",
    )
    await model.close()
    await onnx.close?.()
  })
})
