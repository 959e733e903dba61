import type { ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import { FOREST_FILES, type ForestFormat, isForestFormat } from '../trees/read-forest.ts'

/** The output of FIL's that is not served. */
const SHAP_OUTPUT = 'treeshap_output'
const DEFAULT_THRESHOLD = 0.5

/** What a config's parameters ask of a forest. Those that only tune Triton's own evaluation are taken and mean nothing here. */
export interface FilOptions {
  readonly format: ForestFormat
  readonly file: string
  /** One class index for a row instead of its scores. Absent = the config does not say. */
  readonly classifier: boolean | undefined
  /** Scores of all classes, also of a classifier. */
  readonly probabilities: boolean
  /** A binary classifier says 1 above it. */
  readonly threshold: number
}

/** Throws INVALID_ARG where a parameter cannot be read. */
export function filOptions(config: ModelConfig): FilOptions {
  if (config.output?.some((output) => output.name === SHAP_OUTPUT)) {
    throw new ServerError(
      'UNSUPPORTED',
      `output '${SHAP_OUTPUT}' is not supported: take it out of the config, or serve the explanation with the python backend`,
    )
  }
  const classifier = flag(config, 'output_class')
  return {
    ...fileOf(config),
    classifier: classifier ?? flag(config, 'is_classifier'),
    probabilities: flag(config, 'predict_proba') ?? false,
    threshold: thresholdOf(config),
  }
}

function fileOf(config: ModelConfig): { format: ForestFormat; file: string } {
  const named = config.default_model_filename ?? ''
  const type = text(config, 'model_type')
  if (type === '') return { format: formatOf(named), file: named || FOREST_FILES.xgboost }
  if (!isForestFormat(type)) {
    throw new ServerError(
      'UNSUPPORTED',
      `${type} not recognized as a valid serialization format; known are ${Object.keys(FOREST_FILES).join(', ')}`,
    )
  }
  // Another format's name was found beside the file, not asked for.
  const other = Object.values(FOREST_FILES).includes(named) && FOREST_FILES[type] !== named
  return { format: type, file: named === '' || other ? FOREST_FILES[type] : named }
}

function formatOf(file: string): ForestFormat {
  if (file.endsWith('.txt')) return 'lightgbm'
  return file.endsWith('.tl') ? 'treelite_checkpoint' : 'xgboost'
}

function text(config: ModelConfig, key: string): string {
  return config.parameters?.[key]?.string_value?.trim() ?? ''
}

function flag(config: ModelConfig, key: string): boolean | undefined {
  const value = text(config, key).toLowerCase()
  if (value === '') return undefined
  if (value === 'true' || value === '1') return true
  if (value === 'false' || value === '0') return false
  throw new ServerError('INVALID_ARG', `parameter '${key}' must be true or false, got '${value}'`)
}

function thresholdOf(config: ModelConfig): number {
  const value = text(config, 'threshold')
  if (value === '') return DEFAULT_THRESHOLD
  const threshold = Number(value)
  if (Number.isFinite(threshold)) return threshold
  throw new ServerError('INVALID_ARG', `parameter 'threshold' must be a number, got '${value}'`)
}
