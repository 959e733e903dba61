import { expect, test } from 'vitest'
import { tensorRtOptions } from '../../../adapters/backends/onnx-tensorrt.ts'

test("Triton's names of TensorRT options are given to ONNX Runtime by its own", () => {
  expect(
    tensorRtOptions({
      precision_mode: 'FP16',
      max_workspace_size_bytes: '1073741824',
      int8_calibration_table_name: 'table',
      int8_use_native_calibration_table: 'true',
      trt_profile_min_shapes: 'x:1x3',
    }),
  ).toEqual({
    trt_fp16_enable: '1',
    trt_max_workspace_size: '1073741824',
    trt_int8_calibration_table_name: 'table',
    trt_int8_use_native_calibration_table: 'true',
    trt_profile_min_shapes: 'x:1x3',
  })
})

test('engines and timings are kept where the model says', () => {
  const cache = {
    trt_engine_cache_enable: '1',
    trt_engine_cache_path: '/var/cache/engines',
    trt_engine_cache_prefix: 'resnet',
    trt_timing_cache_enable: '1',
    trt_timing_cache_path: '/var/cache/timings',
    trt_engine_hw_compatible: '1',
  }
  expect(tensorRtOptions(cache)).toEqual(cache)
})

test('FP32 and empty values leave what ONNX Runtime does by itself', () => {
  expect(tensorRtOptions({ precision_mode: 'FP32', trt_tactic_sources: '' })).toEqual({})
})

test.each([
  [{ precision_mode: 'FP8' }, "unsupported precision mode 'FP8' is requested"],
  [
    { trt_engine: '1' },
    "unknown parameter 'trt_engine' is provided for TensorRT Execution Accelerator",
  ],
  [
    { max_workspace_size_bytes: '1GB' },
    "failed to convert '1GB' to size for max_workspace_size_bytes",
  ],
  [{ trt_dla_core: 'one' }, 'trt_dla_core'],
  [{ trt_engine_cache_enable: 'maybe' }, 'trt_engine_cache_enable'],
] as const)('%o is refused', (parameters, text) => {
  expect(() => tensorRtOptions(parameters)).toThrow(text)
})
