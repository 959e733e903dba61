import type { Backend, BackendModel, ModelSource } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import { safeJoin } from '../../core/paths.ts'
import { parameter } from './onnx-parameters.ts'

const DEFAULT_FILENAME = 'model.onnx'
/** Parameter of a config: the file that instances of KIND_CPU run. */
export const CPU_FILENAME = 'neuron_cpu_model_filename'

/**
 * The same model for the machine's own processors: an ONNX file beside the NEFF. Throws UNAVAILABLE with what is missing;
 * `why` says who asks.
 */
export async function openCpuModel(options: {
  readonly source: ModelSource
  readonly cpu: Backend | undefined
  readonly why: string
  readonly signal?: AbortSignal | undefined
}): Promise<BackendModel> {
  const { source, cpu, why, signal } = options
  const file = parameter(source.config, CPU_FILENAME) || DEFAULT_FILENAME
  const stat = await source.store.stat(safeJoin(source.versionPath, file), signal)
  if (cpu === undefined || stat === undefined) {
    throw new ServerError(
      'UNAVAILABLE',
      `model '${source.name}' cannot run on a CPU (${why}): ${
        cpu === undefined ? 'there is no ONNX Runtime' : `there is no '${file}' beside its NEFF`
      }`,
    )
  }
  return cpu.load({ ...source, config: { ...source.config, default_model_filename: file } }, signal)
}
