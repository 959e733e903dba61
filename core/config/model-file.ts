import type { ModelConfig } from './types.ts'

/** What runs files of one ending. */
interface Kind {
  readonly endings: readonly string[]
  readonly config: ModelConfig
}

const KINDS: readonly Kind[] = [
  { endings: ['.onnx'], config: { platform: 'onnxruntime_onnx', backend: 'onnxruntime' } },
  { endings: ['.py'], config: { backend: 'python' } },
  { endings: ['.xml'], config: { backend: 'openvino' } },
  { endings: ['.plan', '.engine'], config: { platform: 'tensorrt_plan', backend: 'tensorrt' } },
  { endings: ['.pt2'], config: { platform: 'torch_aoti', backend: 'pytorch' } },
  { endings: ['.pt', '.pth'], config: { platform: 'pytorch_libtorch', backend: 'pytorch' } },
  {
    endings: ['.savedmodel'],
    config: { platform: 'tensorflow_savedmodel', backend: 'tensorflow' },
  },
  {
    endings: ['.graphdef', '.pb'],
    config: { platform: 'tensorflow_graphdef', backend: 'tensorflow' },
  },
  { endings: ['.neff'], config: { backend: 'neuron' } },
  { endings: ['.ts', '.mts', '.js', '.mjs'], config: { backend: 'typescript' } },
  { endings: ['.joblib', '.skops'], config: { backend: 'sklearn' } },
  { endings: ['.ubj'], config: trees('xgboost_ubj') },
  { endings: ['config.json'], config: { backend: 'transformers' } },
  { endings: ['.json'], config: trees('xgboost_json') },
  { endings: ['.txt'], config: trees('lightgbm') },
  { endings: ['.tl'], config: trees('treelite_checkpoint') },
]

function trees(modelType: string): ModelConfig {
  return { backend: 'fil', parameters: { model_type: { string_value: modelType } } }
}

/** Endings of files that are models, for messages. */
export const MODEL_FILE_ENDINGS: readonly string[] = KINDS.flatMap(({ endings }) => endings)

/** What the name of a file, or of a SavedModel's folder, says of the model in it; undefined where it says nothing. */
export function configOfFile(name: string): ModelConfig | undefined {
  const lower = name.toLowerCase()
  const kind = KINDS.find(({ endings }) => endings.some((ending) => lower.endsWith(ending)))
  return kind === undefined ? undefined : { ...kind.config, default_model_filename: name }
}
