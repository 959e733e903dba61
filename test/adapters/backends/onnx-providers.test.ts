import { describe, expect, test } from 'vitest'
import { providersFor } from '../../../adapters/backends/onnx-providers.ts'
import type { Placement } from '../../../core/backend/types.ts'
import type { ExecutionAccelerator, ModelConfig } from '../../../core/config/types.ts'

const ALL = [
  'TensorrtExecutionProvider',
  'CUDAExecutionProvider',
  'OpenVINOExecutionProvider',
  'CPUExecutionProvider',
]
const gpu: Placement = { name: 'm_0_gpu1', kind: 'KIND_GPU', device: 1 }
const cpu: Placement = { name: 'm_0', kind: 'KIND_CPU', device: 0 }

const providers = (placement: Placement, config: ModelConfig, available: readonly string[] = ALL) =>
  providersFor({ config, modelName: 'm', placement, available })
const withGpu = (...list: ExecutionAccelerator[]): ModelConfig => ({
  optimization: { execution_accelerators: { gpu_execution_accelerator: list } },
})
const withCpu = (...list: ExecutionAccelerator[]): ModelConfig => ({
  optimization: { execution_accelerators: { cpu_execution_accelerator: list } },
})

describe('execution providers of an instance', () => {
  test('a CPU instance has none, whatever the config says for GPUs', () => {
    expect(providers(cpu, withGpu({ name: 'tensorrt' }))).toEqual([])
  })

  test('a GPU instance has CUDA on its device', () => {
    expect(providers(gpu, {})).toEqual([{ name: 'cuda', options: { device_id: '1' } }])
  })

  test('TensorRT comes before CUDA, its parameters under the names of ONNX Runtime', () => {
    const parameters = {
      precision_mode: 'FP16',
      max_workspace_size_bytes: '1073741824',
      trt_engine_cache_enable: 'true',
      trt_engine_cache_path: '',
    }
    expect(providers(gpu, withGpu({ name: 'tensorrt', parameters }))).toEqual([
      {
        name: 'tensorrt',
        options: {
          trt_fp16_enable: '1',
          trt_max_workspace_size: '1073741824',
          trt_engine_cache_enable: 'true',
          device_id: '1',
        },
      },
      { name: 'cuda', options: { device_id: '1' } },
    ])
  })

  test('WebGPU takes the place of CUDA, on the one device that it has', () => {
    const parameters = { preferredLayout: 'NCHW' }
    const first: Placement = { ...gpu, device: 0 }
    const neutral = withGpu({ name: 'webgpu', parameters })
    const there = ['WebGpuExecutionProvider', 'CPUExecutionProvider']
    expect(providers(first, neutral, there)).toEqual([{ name: 'webgpu', options: parameters }])
    expect(() => providers(gpu, neutral, there)).toThrow("cannot put instance 'm_0_gpu1' on GPU 1")
    expect(() => providers(first, neutral)).toThrow('no WebGpuExecutionProvider')
  })

  test('CUDA options come from the accelerator and, older, from top-level parameters', () => {
    const config: ModelConfig = {
      ...withGpu({ name: 'cuda', parameters: { gpu_mem_limit: '1', enable_cuda_graph: '1' } }),
      parameters: {
        gpu_mem_limit: { string_value: '2' },
        cudnn_conv_algo_search: { string_value: '1' },
        arena_extend_strategy: { string_value: '1' },
      },
    }
    expect(providers(gpu, config)).toEqual([
      {
        name: 'cuda',
        options: {
          gpu_mem_limit: '2',
          enable_cuda_graph: '1',
          cudnn_conv_algo_search: 'HEURISTIC',
          arena_extend_strategy: 'kSameAsRequested',
          device_id: '1',
        },
      },
    ])
  })

  test('OpenVINO is taken for the CPU', () => {
    expect(providers(cpu, withCpu({ name: 'openvino' }))).toEqual([
      { name: 'openvino', options: { device_type: 'CPU' } },
    ])
  })

  test.each([
    [gpu, withGpu({ name: 'zippy' }), "unknown Execution Accelerator 'zippy' is requested"],
    [cpu, withCpu({ name: 'tensorrt' }), "unknown Execution Accelerator 'tensorrt' is requested"],
    [
      gpu,
      withGpu({ name: 'tensorrt', parameters: { turbo: '1' } }),
      "unknown parameter 'turbo' is provided for TensorRT Execution Accelerator",
    ],
    [
      gpu,
      withGpu({ name: 'tensorrt', parameters: { constructor: '1' } }),
      "unknown parameter 'constructor' is provided for TensorRT Execution Accelerator",
    ],
    [
      gpu,
      withGpu({ name: 'tensorrt', parameters: { precision_mode: 'FP7' } }),
      "unsupported precision mode 'FP7' is requested",
    ],
    [
      gpu,
      { parameters: { cudnn_conv_algo_search: { string_value: '3' } } },
      "unsupported cudnn_conv_algo_search value '3' is requested",
    ],
  ] as const)('what is unknown is a load error in the words of Triton (%#)', (at, config, text) => {
    expect(() => providers(at, config)).toThrow(text)
  })

  test('a provider that the library lacks is a load error that says what is there', () => {
    expect(() => providers(gpu, {}, ['CPUExecutionProvider'])).toThrow(
      /^instance 'm_0_gpu1' is KIND_GPU for model 'm', but .* no CUDAExecutionProvider \(it has CPUExecutionProvider\)/,
    )
  })
})
