import type { OrtApi } from './api.ts'
import type { Pointer } from './functions.ts'

/** What a session is opened with; everything absent takes ONNX Runtime's default. */
export interface SessionSettings {
  /** 0 none, 1 basic, 2 extended, 99 all. */
  readonly graphLevel?: number
  readonly parallel?: boolean
  /** Threads inside an operator and between operators; 0 = one per core. */
  readonly intraOpThreads?: number
  readonly interOpThreads?: number
  /** The pool of the environment instead of one per session. */
  readonly sharedThreads?: boolean
  readonly memoryArena?: boolean
  readonly memoryPattern?: boolean
  /** `session.*` entries as ONNX Runtime names them. */
  readonly entries?: Readonly<Record<string, string>>
  /** Absolute paths of libraries with custom operators. */
  readonly customOps?: readonly string[]
  /** In order of preference; CPU comes last by itself. */
  readonly providers?: readonly ProviderSettings[]
}

/** One execution provider and its options, both as ONNX Runtime names them. */
export interface ProviderSettings {
  readonly name: 'cuda' | 'tensorrt' | 'openvino' | 'webgpu'
  readonly options: Readonly<Record<string, string>>
}

/** Builds the C options; the caller releases them with `api.releaseSessionOptions`. */
export function createSessionOptions(api: OrtApi, settings: SessionSettings): Pointer {
  const options = api.result((out) => api.createSessionOptions(out))
  try {
    apply(api, options, settings)
    return options
  } catch (error) {
    api.releaseSessionOptions(options)
    throw error
  }
}

const PARALLEL = 1

function apply(api: OrtApi, options: Pointer, settings: SessionSettings): void {
  const { graphLevel, intraOpThreads = 0, interOpThreads = 0 } = settings
  if (graphLevel !== undefined) {
    api.check(api.setSessionGraphOptimizationLevel(options, graphLevel))
  }
  if (settings.parallel === true) api.check(api.setSessionExecutionMode(options, PARALLEL))
  if (settings.sharedThreads === true) {
    api.check(api.disablePerSessionThreads(options))
  } else {
    if (intraOpThreads > 0) api.check(api.setIntraOpNumThreads(options, intraOpThreads))
    if (interOpThreads > 0) api.check(api.setInterOpNumThreads(options, interOpThreads))
  }
  if (settings.memoryArena !== undefined) {
    api.check(
      settings.memoryArena ? api.enableCpuMemArena(options) : api.disableCpuMemArena(options),
    )
  }
  if (settings.memoryPattern !== undefined) {
    api.check(
      settings.memoryPattern ? api.enableMemPattern(options) : api.disableMemPattern(options),
    )
  }
  for (const [key, value] of Object.entries(settings.entries ?? {})) {
    api.check(api.addSessionConfigEntry(options, key, value))
  }
  for (const library of settings.customOps ?? []) {
    api.check(api.registerCustomOpsLibrary(options, library))
  }
  for (const provider of settings.providers ?? []) appendProvider(api, options, provider)
}

function appendProvider(api: OrtApi, options: Pointer, provider: ProviderSettings): void {
  const keys = Object.keys(provider.options)
  const values = Object.values(provider.options)
  if (provider.name === 'openvino' || provider.name === 'webgpu') {
    const name = provider.name === 'webgpu' ? 'WebGPU' : 'OpenVINO'
    api.check(api.appendProvider(options, name, keys, values, keys.length))
    return
  }
  const cuda = provider.name === 'cuda'
  const create = cuda ? api.createCudaOptions : api.createTensorRtOptions
  const update = cuda ? api.updateCudaOptions : api.updateTensorRtOptions
  const append = cuda ? api.appendCuda : api.appendTensorRt
  const release = cuda ? api.releaseCudaOptions : api.releaseTensorRtOptions
  const pointer = api.result((out) => create(out))
  try {
    api.check(update(pointer, keys, values, keys.length))
    api.check(append(options, pointer))
  } finally {
    release(pointer)
  }
}
