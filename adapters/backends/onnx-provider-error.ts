import { ServerError } from '../../core/errors.ts'
import type { ProviderSettings } from '../../native/onnxruntime/session-options.ts'
import { onnxError } from './onnx-error.ts'

/** What messages begin with where a provider is loaded or set up: the source file, the function, what it checked. */
const SOURCE = /^.*?\[ONNXRuntimeError\] : \d+ : \w+ : |\/\S+\.cc:\d+ .*? was false\. /s
const MISSING_LIBRARY = /Failed to load library .*?([^/]*\.(?:so|dylib)[.\d]*) with error: (.*)/s

/**
 * Why a session with accelerators could not be opened: what was asked for, what is there, what to do. ONNX Runtime lists
 * CUDA and TensorRT among its providers also where their libraries are not installed, so only this moment tells.
 */
export function providerError(
  error: unknown,
  options: {
    readonly instance: string
    readonly model: string
    readonly providers: readonly ProviderSettings[]
    /** Path of ONNX Runtime's library. */
    readonly library: string
  },
): ServerError {
  const failure = onnxError(error)
  const { instance, model, providers, library } = options
  const wanted = providers.map((provider) => provider.name).join(', ')
  const reason = failure.message.trim().replace(SOURCE, '')
  const missing = MISSING_LIBRARY.exec(reason)
  const asked = `instance '${instance}' of model '${model}' asks for ${wanted}`
  if (missing !== null) {
    const [, file = '', why = ''] = missing
    return new ServerError(
      'UNAVAILABLE',
      `${asked}, whose library ${file} cannot be loaded (${why.trim()}); it and the libraries that it needs come with the GPU image ` +
        `or belong beside ${library}; without them use KIND_CPU and no execution accelerators, or the accelerator webgpu`,
    )
  }
  return new ServerError(
    failure.code,
    `${asked}: ${reason}; where there is no such device use KIND_CPU and no execution accelerators`,
  )
}
