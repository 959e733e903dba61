import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { bundledLibraryPath } from '../../native/onnxruntime/library.ts'

/**
 * Whether ONNX Runtime's CUDA provider is installed beside its library; only then GPUs are for groups that leave the
 * choice to the server.
 */
export function hasCuda(library: string = bundledLibraryPath()): boolean {
  return existsSync(join(dirname(library), 'libonnxruntime_providers_cuda.so'))
}
