import type { Backend, BackendModel, ModelSource } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { Clock } from '../../core/platform.ts'
import type { Env } from '../../native/onnxruntime/env.ts'
import type { OnnxRuntime } from '../../native/onnxruntime/runtime.ts'
import { onnxError } from './onnx-error.ts'
import { findOnnxFile } from './onnx-file.ts'
import type { GpuLimit } from './onnx-gpu-limit.ts'
import { openOnnxModel } from './onnx-model.ts'
import { globalThreads, usesBinding } from './onnx-options.ts'
import type { InlineMode } from './onnx-pace.ts'
import { acceleratedConfig } from './openvino/accelerator.ts'

export interface OnnxBackendOptions {
  readonly clock: Clock
  /** Path of `libonnxruntime`; default: the one that the `onnxruntime-node` package ships. */
  readonly libraryPath?: string | undefined
  /** When runs happen on the event loop. Default `auto`: when they measure as shorter than an asynchronous call's cost. */
  readonly inline?: InlineMode | undefined
  /** GPUs that KIND_AUTO and KIND_GPU groups without a list may use. Default none. */
  readonly gpus?: readonly number[] | undefined
  /** How full a GPU may be when a model is loaded. Default: as full as it is. */
  readonly gpuLimit?: GpuLimit | undefined
  /**
   * Runs models that ask for the `openvino` accelerator where ONNX Runtime's library has no such provider, as the one that
   * comes with `onnxruntime-node` has none. Default: they do not load.
   */
  readonly openVino?: Backend | undefined
}

/** Instances of a CPU group whose config names no count, as Triton's backend has them. */
const DEFAULT_CPU_INSTANCES = 2

const OPENVINO_PROVIDER = 'OpenVINOExecutionProvider'

/**
 * The `onnxruntime` backend: ONNX Runtime's C API through native/onnxruntime. Runs that block go to libuv's pool,
 * whose size (`UV_THREADPOOL_SIZE`, default 4, set before the process starts) is how many can run at once.
 */
export function onnxBackend(options: OnnxBackendOptions): Backend {
  let loaded: Promise<OnnxRuntime> | null = null
  let env: Env | null = null
  let closed = false
  let last: Promise<unknown> = Promise.resolve()

  function serially<T>(run: () => Promise<T>): Promise<T> {
    const result = last.then(run)
    last = result.catch(() => {})
    return result
  }

  return {
    name: 'onnxruntime',
    defaultModelFilename: 'model.onnx',
    defaultCpuInstances: DEFAULT_CPU_INSTANCES,
    gpus: options.gpus ?? [],
    async load(source: ModelSource, signal?: AbortSignal): Promise<BackendModel> {
      if (closed) throw new ServerError('UNAVAILABLE', 'the onnxruntime backend is closed')
      const file = await findOnnxFile(source, signal)
      loaded ??= loadLibrary(options.libraryPath)
      const ort = await loaded
      const { openVino } = options
      if (openVino !== undefined && !ort.providers.includes(OPENVINO_PROVIDER)) {
        const config = acceleratedConfig(source.config)
        if (config !== undefined) return openVino.load({ ...source, config }, signal)
      }
      // The pool is shared by all sessions, so the first model that loads creates it; settings are the same for all.
      env ??= openEnv(ort, source)
      const { clock, inline = 'auto', gpuLimit } = options
      const binding = usesBinding(source.settings)
      return openOnnxModel({
        ort,
        env,
        source,
        file,
        clock,
        inline,
        binding,
        serially,
        signal,
        gpuLimit,
      })
    },
    async close() {
      // Sessions are closed by now: models close before their backend.
      closed = true
      env?.close()
      env = null
    },
  }
}

async function loadLibrary(libraryPath: string | undefined): Promise<OnnxRuntime> {
  try {
    const { loadOnnxRuntime } = await import('../../native/onnxruntime/runtime.ts')
    return loadOnnxRuntime(libraryPath === undefined ? {} : { libraryPath })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ServerError(
      'UNAVAILABLE',
      `failed to load ONNX Runtime${libraryPath === undefined ? '' : ` from '${libraryPath}'`}: ${reason}; ` +
        'name another library or use the onnxruntime-node fallback',
      { cause },
    )
  }
}

function openEnv(ort: OnnxRuntime, source: ModelSource): Env {
  const threads = globalThreads(source.settings)
  try {
    return ort.openEnv(threads === undefined ? {} : { globalThreads: threads })
  } catch (error) {
    throw onnxError(error)
  }
}
