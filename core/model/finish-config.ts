import type { Backend, BackendModel, ModelSource } from '../backend/types.ts'
import { completeConfig, DEFAULT_MAX_BATCH_SIZE } from '../config/autocomplete.ts'
import { checkConfigAgainstIo } from '../config/check-io.ts'
import { normalizeConfig } from '../config/normalize.ts'
import type { ModelConfig } from '../config/types.ts'
import { validateConfig } from '../config/validate.ts'
import { ServerError } from '../errors.ts'

export interface FinishOptions {
  readonly source: Pick<ModelSource, 'name' | 'config' | 'settings'>
  readonly backend: Backend
  /** What the backend opened. */
  readonly backendModel: BackendModel
  /** False with `--disable-auto-complete-config`. */
  readonly autoComplete: boolean
}

/** The config that a model is served with: complete, normalized, valid, and what the model is. Throws INVALID_ARG. */
export function finishConfig(options: FinishOptions): ModelConfig {
  const { source, backend, backendModel } = options
  const { io } = backendModel
  const modelName = source.name
  const config = normalizeConfig(completedConfig(options), { modelName, backend })
  validateConfig(config, { modelName })
  if (io !== undefined) checkConfigAgainstIo(config, io, { modelName })
  return config
}

/** What the user wrote, with what it lacks taken from the model itself. Throws INVALID_ARG where that cannot be. */
export function completedConfig(options: FinishOptions): ModelConfig {
  const { source, backendModel, autoComplete } = options
  const given = autoComplete
    ? (backendModel.completed ?? { ...backendModel.config, ...source.config })
    : source.config
  return completeConfig(given, backendModel.io, {
    modelName: source.name,
    defaultMaxBatchSize: defaultMaxBatchSize(source.settings),
    enabled: autoComplete,
  })
}

/** `--backend-config=default-max-batch-size`: what auto-completion gives a model that can batch. */
function defaultMaxBatchSize(settings: ReadonlyMap<string, string>): number {
  const text = settings.get('default-max-batch-size')
  if (text === undefined) return DEFAULT_MAX_BATCH_SIZE
  const size = Number(text)
  if (!/^\d+$/.test(text) || size > 0x7fff_ffff) {
    throw new ServerError(
      'INVALID_ARG',
      `backend config 'default-max-batch-size' must be a number from 0 to 2147483647, got '${text}'`,
    )
  }
  return size
}
