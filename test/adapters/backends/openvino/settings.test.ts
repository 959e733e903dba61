import { expect, test } from 'vitest'
import { settingsOf } from '../../../../adapters/backends/openvino/settings.ts'
import { parameters } from './fixtures.ts'

const properties = (...given: Parameters<typeof settingsOf>) =>
  Object.fromEntries(settingsOf(...given).properties)

test('each instance gets a stream, unless the config says how many there are', () => {
  expect(properties({})).toEqual({ NUM_STREAMS: '1' })
  const groups = { instance_group: [{ count: 2 }, { count: 3 }] }
  expect(properties(groups)).toEqual({ NUM_STREAMS: '5' })
  expect(properties({ ...groups, ...parameters({ NUM_STREAMS: '1' }) })).toEqual({
    NUM_STREAMS: '1',
  })
  expect(properties({ ...groups, ...parameters({ PERFORMANCE_HINT: 'latency' }) })).toEqual({
    PERFORMANCE_HINT: 'LATENCY',
  })
})

test('another device than the CPU gets what is said, and no streams that are not', () => {
  const config = parameters({ TARGET_DEVICE: 'gpu.1', COMPILATION_NUM_THREADS: '2' })
  expect(settingsOf(config).device).toBe('GPU.1')
  expect(properties(config)).toEqual({ COMPILATION_NUM_THREADS: '2' })
})

test('HINT_BF16 is a precision, and a precision that is named wins over it', () => {
  const bf16 = { HINT_BF16: 'yes' }
  expect(properties(parameters(bf16))).toMatchObject({ INFERENCE_PRECISION_HINT: 'bf16' })
  const both = parameters({ ...bf16, INFERENCE_PRECISION_HINT: 'F32' })
  expect(properties(both)).toMatchObject({ INFERENCE_PRECISION_HINT: 'f32' })
})

test('the accelerator’s options are those of ONNX Runtime’s provider, which computes in f32', () => {
  const accelerated = (options: Record<string, string>) => ({
    parameters: { intra_op_thread_count: { string_value: '3' } },
    optimization: {
      execution_accelerators: {
        cpu_execution_accelerator: [{ name: 'openvino', parameters: options }],
      },
    },
  })
  expect(properties(accelerated({}))).toEqual({
    INFERENCE_NUM_THREADS: '3',
    INFERENCE_PRECISION_HINT: 'f32',
    NUM_STREAMS: '1',
  })
  expect(
    properties(accelerated({ num_of_threads: '1', num_streams: '4', precision: 'FP16' })),
  ).toEqual({ INFERENCE_NUM_THREADS: '1', INFERENCE_PRECISION_HINT: 'f16', NUM_STREAMS: '4' })
})
