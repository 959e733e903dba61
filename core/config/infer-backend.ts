import { ServerError } from '../errors.ts'
import type { ModelConfig } from './types.ts'

/** A framework that Triton knows by its model file. */
interface Framework {
  readonly backend: string
  /** Platforms that stand for the backend; the first is filled in where `fillsPlatform`. */
  readonly platforms: readonly string[]
  readonly file: string
  readonly fillsPlatform: boolean
}

/** In the order in which Triton tries them. */
export const FRAMEWORKS: readonly Framework[] = [
  {
    backend: 'tensorflow',
    platforms: ['tensorflow_savedmodel'],
    file: 'model.savedmodel',
    fillsPlatform: true,
  },
  {
    backend: 'tensorflow',
    platforms: ['tensorflow_graphdef'],
    file: 'model.graphdef',
    fillsPlatform: true,
  },
  { backend: 'tensorrt', platforms: ['tensorrt_plan'], file: 'model.plan', fillsPlatform: true },
  {
    backend: 'onnxruntime',
    platforms: ['onnxruntime_onnx'],
    file: 'model.onnx',
    fillsPlatform: true,
  },
  { backend: 'openvino', platforms: [], file: 'model.xml', fillsPlatform: false },
  {
    backend: 'pytorch',
    platforms: ['pytorch_libtorch', 'libtorch'],
    file: 'model.pt',
    fillsPlatform: true,
  },
  { backend: 'pytorch', platforms: ['torch_aoti'], file: 'model.pt2', fillsPlatform: true },
  { backend: 'python', platforms: [], file: 'model.py', fillsPlatform: false },
  { backend: 'fil', platforms: [], file: 'xgboost.json', fillsPlatform: false },
  { backend: 'fil', platforms: [], file: 'xgboost.ubj', fillsPlatform: false },
  { backend: 'fil', platforms: [], file: 'xgboost.model', fillsPlatform: false },
  { backend: 'fil', platforms: [], file: 'checkpoint.tl', fillsPlatform: false },
  { backend: 'fil', platforms: [], file: 'model.txt', fillsPlatform: false },
  // Triton has no such backends.
  { backend: 'neuron', platforms: [], file: 'model.neff', fillsPlatform: false },
  { backend: 'typescript', platforms: [], file: 'model.ts', fillsPlatform: false },
  { backend: 'typescript', platforms: [], file: 'model.js', fillsPlatform: false },
  { backend: 'sklearn', platforms: [], file: 'model.skops', fillsPlatform: false },
  { backend: 'sklearn', platforms: [], file: 'model.joblib', fillsPlatform: false },
  // The last one: others may have such a file as well.
  { backend: 'transformers', platforms: [], file: 'config.json', fillsPlatform: false },
]

/**
 * `config` with name, backend, platform and model file filled as far as they follow from each other or from `files`, the
 * names in the first version's folder (empty where there is none). As Triton does, a model without any of them and
 * without a known file is named after its backend: `model.<backend>`.
 */
export function inferBackend(options: {
  readonly files: readonly string[]
  readonly modelName: string
  readonly config: ModelConfig
}): ModelConfig {
  const { files, modelName } = options
  const config = { ...options.config, name: options.config.name || modelName }
  if (config.platform === 'ensemble') return config
  const framework = frameworkOf(config, files)
  if (framework !== undefined) return fill(config, framework)
  if (config.backend || config.platform || config.default_model_filename) return config
  const dot = modelName.indexOf('.')
  if (dot < 0) {
    throw new ServerError(
      'INVALID_ARG',
      `Invalid model name: Could not determine backend for model '${modelName}' with no backend in model configuration. Expected model name of the form 'model.<backend_name>'.`,
    )
  }
  const backend = modelName.slice(dot + 1)
  return { ...config, backend, default_model_filename: `model.${backend}` }
}

function frameworkOf(config: ModelConfig, files: readonly string[]): Framework | undefined {
  const { backend, platform, default_model_filename: file } = config
  if (backend) {
    const same = FRAMEWORKS.filter((known) => known.backend === backend)
    const byPlatform = same.find((known) => platform && known.platforms.includes(platform))
    const byFile = same.find((known) => (file ? known.file === file : files.includes(known.file)))
    return byPlatform ?? (platform ? same[0] : (byFile ?? preferred(same)))
  }
  const named = FRAMEWORKS.find(
    (known) => (platform && known.platforms.includes(platform)) || known.file === file,
  )
  if (named !== undefined || platform || file) return named
  return FRAMEWORKS.find((known) => files.includes(known.file))
}

/** TensorFlow has no default format; the others take their first. */
function preferred(same: readonly Framework[]): Framework | undefined {
  return same[0]?.backend === 'tensorflow' ? undefined : same[0]
}

function fill(config: ModelConfig, framework: Framework): ModelConfig {
  const platform = config.platform || (framework.fillsPlatform ? framework.platforms[0] : undefined)
  return {
    ...config,
    ...(platform === undefined ? {} : { platform }),
    backend: config.backend || framework.backend,
    default_model_filename: config.default_model_filename || framework.file,
  }
}
