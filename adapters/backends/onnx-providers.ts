import type { Placement } from '../../core/backend/types.ts'
import type { ExecutionAccelerator, ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { ProviderSettings } from '../../native/onnxruntime/session-options.ts'
import { parameter, parseBoolean, parseInteger } from './onnx-parameters.ts'
import { tensorRtOptions } from './onnx-tensorrt.ts'

/** Names by which ONNX Runtime lists the providers. */
const LISTED = {
  cuda: 'CUDAExecutionProvider',
  tensorrt: 'TensorrtExecutionProvider',
  openvino: 'OpenVINOExecutionProvider',
  webgpu: 'WebGpuExecutionProvider',
} as const

export interface ProvidersOptions {
  readonly config: ModelConfig
  readonly modelName: string
  readonly placement: Placement
  /** What the library was built with. */
  readonly available: readonly string[]
}

/**
 * The execution providers of one instance, in order of preference: the accelerators that the config lists for its
 * kind, CUDA for every KIND_GPU instance that does not ask for WebGPU, the CPU at last by itself. Throws for unknown names and options as Triton
 * does, and says what is there where the library lacks what is asked for.
 */
export function providersFor(options: ProvidersOptions): ProviderSettings[] {
  const { config, placement } = options
  const accelerators = config.optimization?.execution_accelerators
  const providers: ProviderSettings[] = []
  if (placement.kind === 'KIND_GPU') {
    const device = String(placement.device)
    let cuda: Record<string, string> = {}
    let vendorNeutral = false
    for (const accelerator of accelerators?.gpu_execution_accelerator ?? []) {
      if (accelerator.name === 'tensorrt') {
        const settings = tensorRtOptions(accelerator.parameters ?? {})
        providers.push({ name: 'tensorrt', options: { ...settings, device_id: device } })
      } else if (accelerator.name === 'cuda') {
        cuda = { ...cuda, ...cudaOptions(accelerator) }
      } else if (accelerator.name === 'webgpu') {
        requireOnlyDevice(placement)
        vendorNeutral = true
        providers.push({ name: 'webgpu', options: { ...(accelerator.parameters ?? {}) } })
      } else {
        throw unknownAccelerator(accelerator)
      }
    }
    if (!vendorNeutral) {
      providers.push({
        name: 'cuda',
        options: { ...cuda, ...olderCudaOptions(config), device_id: device },
      })
    }
  }
  for (const accelerator of accelerators?.cpu_execution_accelerator ?? []) {
    if (accelerator.name !== 'openvino') throw unknownAccelerator(accelerator)
    providers.push({
      name: 'openvino',
      options: { device_type: 'CPU', ...(accelerator.parameters ?? {}) },
    })
  }
  for (const provider of providers) requireProvider(provider.name, options)
  return providers
}

/** WebGPU takes the adapter that the driver prefers; there is no number for another. */
function requireOnlyDevice({ name, device }: Placement): void {
  if (device === 0) return
  throw new ServerError(
    'UNSUPPORTED',
    `execution accelerator 'webgpu' cannot put instance '${name}' on GPU ${device}, it has GPU 0 alone`,
  )
}

function unknownAccelerator(accelerator: ExecutionAccelerator): ServerError {
  return new ServerError(
    'INVALID_ARG',
    `unknown Execution Accelerator '${accelerator.name ?? ''}' is requested`,
  )
}

const CUDA_BOOLEANS = ['do_copy_in_default_stream', 'use_ep_level_unified_stream']

function cudaOptions(accelerator: ExecutionAccelerator): Record<string, string> {
  const options: Record<string, string> = {}
  for (const [key, value] of Object.entries(accelerator.parameters ?? {})) {
    if (CUDA_BOOLEANS.includes(key)) parseBoolean(value, key)
    if (value !== '') options[key] = value
  }
  return options
}

const ALGO_SEARCH = ['EXHAUSTIVE', 'HEURISTIC', 'DEFAULT']
const EXTEND_STRATEGY = ['kNextPowerOfTwo', 'kSameAsRequested']

/** CUDA options in the config's top-level parameters: what configs used before accelerators had them. They win. */
function olderCudaOptions(config: ModelConfig): Record<string, string> {
  const options: Record<string, string> = {}
  const choice = (key: string, names: readonly string[]): void => {
    const text = parameter(config, key)
    if (text === undefined) return
    const name = names[parseInteger(text, key)]
    if (name === undefined) {
      throw new ServerError('INVALID_ARG', `unsupported ${key} value '${text}' is requested`)
    }
    options[key] = name
  }
  choice('cudnn_conv_algo_search', ALGO_SEARCH)
  choice('arena_extend_strategy', EXTEND_STRATEGY)
  for (const key of ['gpu_mem_limit', 'do_copy_in_default_stream']) {
    const text = parameter(config, key)
    if (text !== undefined) options[key] = text
  }
  return options
}

function requireProvider(name: ProviderSettings['name'], options: ProvidersOptions): void {
  const { available, placement, modelName } = options
  const listed = LISTED[name]
  if (available.includes(listed)) return
  const asked =
    name === 'cuda'
      ? `instance '${placement.name}' is KIND_GPU`
      : `execution accelerator '${name}' is requested`
  throw new ServerError(
    'UNAVAILABLE',
    `${asked} for model '${modelName}', but this ONNX Runtime has no ${listed} ` +
      `(it has ${available.join(', ')}); use a library that has it or change the model's config`,
  )
}
