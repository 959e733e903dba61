import { expect, test } from 'vitest'
import { inferBackend } from '../../../core/config/infer-backend.ts'
import type { ModelConfig } from '../../../core/config/types.ts'

function infer(config: ModelConfig, files: string[] = [], modelName = 'm'): (string | undefined)[] {
  const { backend, platform, default_model_filename } = inferBackend({ files, modelName, config })
  return [backend, platform, default_model_filename]
}

const cases: [
  title: string,
  config: ModelConfig,
  files: string[],
  expected: (string | undefined)[],
][] = [
  ['an ONNX file', {}, ['model.onnx', 'readme'], ['onnxruntime', 'onnxruntime_onnx', 'model.onnx']],
  [
    'a TensorRT plan beside an ONNX file',
    {},
    ['model.onnx', 'model.plan'],
    ['tensorrt', 'tensorrt_plan', 'model.plan'],
  ],
  [
    'a SavedModel',
    {},
    ['model.savedmodel'],
    ['tensorflow', 'tensorflow_savedmodel', 'model.savedmodel'],
  ],
  ['an OpenVINO file', {}, ['model.xml', 'model.bin'], ['openvino', undefined, 'model.xml']],
  ['a TorchScript file', {}, ['model.pt'], ['pytorch', 'pytorch_libtorch', 'model.pt']],
  ['a Python file', {}, ['model.py'], ['python', undefined, 'model.py']],
  ['a forest of XGBoost', {}, ['xgboost.ubj'], ['fil', undefined, 'xgboost.ubj']],
  ['a forest of LightGBM', {}, ['model.txt'], ['fil', undefined, 'model.txt']],
  [
    'a checkpoint of Treelite',
    { backend: 'fil' },
    ['checkpoint.tl'],
    ['fil', undefined, 'checkpoint.tl'],
  ],
  ['a text beside a Python file', {}, ['model.txt', 'model.py'], ['python', undefined, 'model.py']],
  ['a TypeScript file', {}, ['model.ts'], ['typescript', undefined, 'model.ts']],
  [
    'the typescript backend and a JavaScript file',
    { backend: 'typescript' },
    ['model.js'],
    ['typescript', undefined, 'model.js'],
  ],
  [
    'the platform alone',
    { platform: 'onnxruntime_onnx' },
    [],
    ['onnxruntime', 'onnxruntime_onnx', 'model.onnx'],
  ],
  [
    'the backend alone',
    { backend: 'onnxruntime' },
    [],
    ['onnxruntime', 'onnxruntime_onnx', 'model.onnx'],
  ],
  [
    'the model file alone',
    { default_model_filename: 'model.onnx' },
    [],
    ['onnxruntime', 'onnxruntime_onnx', 'model.onnx'],
  ],
  [
    'a backend with a file of its own',
    { backend: 'onnxruntime', default_model_filename: 'a.onnx' },
    ['a.onnx'],
    ['onnxruntime', 'onnxruntime_onnx', 'a.onnx'],
  ],
  [
    'a backend of no framework',
    { backend: 'identity' },
    ['model.onnx'],
    ['identity', undefined, undefined],
  ],
  ['a platform that is not known', { platform: 'x' }, ['model.onnx'], [undefined, 'x', undefined]],
  ['an ensemble', { platform: 'ensemble' }, [], [undefined, 'ensemble', undefined]],
]
test.each(cases)('%s tells the backend', (_, config, files, expected) => {
  expect(infer(config, files)).toEqual(expected)
})

test('a model without any hint is named after its backend', () => {
  expect(infer({}, [], 'model.identity')).toEqual(['identity', undefined, 'model.identity'])
  expect(() => infer({})).toThrow(
    "Invalid model name: Could not determine backend for model 'm' with no backend in model configuration. Expected model name of the form 'model.<backend_name>'.",
  )
})

test('the name is the folder where the config gives none', () => {
  expect(inferBackend({ files: ['model.onnx'], modelName: 'm', config: {} }).name).toBe('m')
  expect(inferBackend({ files: ['model.onnx'], modelName: 'm', config: { name: 'n' } }).name).toBe(
    'n',
  )
})
