import { expect, test } from 'vitest'
import type { IoSpec, ModelIo } from '../../../core/backend/types.ts'
import { checkConfigAgainstIo } from '../../../core/config/check-io.ts'
import type { ModelConfig, ModelInput, SequenceControlInput } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { Datatype } from '../../../core/tensor.ts'

const spec = (name: string, shape: number[], datatype: Datatype = 'FP32'): IoSpec => ({
  name,
  datatype,
  shape,
})
const IO: ModelIo = { inputs: [spec('x', [-1, 3, -1])], outputs: [spec('y', [-1, -1])] }
const x: ModelInput = { name: 'x', data_type: 'TYPE_FP32', dims: [3, 5] }
const GOOD: ModelConfig = {
  max_batch_size: 4,
  input: [x],
  output: [{ name: 'y', data_type: 'TYPE_FP32', dims: [-1] }],
}

function check(config: ModelConfig, io: ModelIo = IO): void {
  checkConfigAgainstIo({ ...GOOD, ...config }, io, { modelName: 'm' })
}

test('a config that fits its model passes', () => {
  expect(() => check({})).not.toThrow()
  expect(() => check({ input: [{ ...x, dims: [15], reshape: { shape: [3, 5] } }] })).not.toThrow()
  const scalar = { inputs: [spec('x', [])], outputs: [] }
  expect(() =>
    check({ max_batch_size: 0, input: [{ ...x, dims: [1] }], output: [] }, scalar),
  ).not.toThrow()
  const initializer = { ...IO, inputs: [...IO.inputs, { ...spec('w', [3]), optional: true }] }
  expect(() => check({}, initializer)).not.toThrow()
})

const cases: [title: string, config: ModelConfig, message: string, io?: ModelIo][] = [
  [
    'no inputs',
    { input: [] },
    "unable to load model 'm', configuration expects 0 inputs, model provides 1",
  ],
  [
    'another input',
    { input: [{ ...x, name: 'z' }] },
    "unexpected inference input 'z', allowed inputs are: x",
  ],
  [
    'another output',
    { output: [{ name: 'z' }] },
    "unexpected inference output 'z', allowed outputs are: y",
  ],
  [
    'another datatype',
    { input: [{ ...x, data_type: 'TYPE_STRING' }] },
    "unable to load model 'm', configuration expects datatype TYPE_STRING for input 'x', model provides TYPE_FP32",
  ],
  [
    'another rank',
    { input: [{ ...x, dims: [3] }] },
    "model 'm', tensor 'x': the model expects 3 dimensions (shape [-1,3,-1]) but the model configuration specifies 2 dimensions (an initial batch dimension because max_batch_size > 0 followed by the explicit tensor shape, making complete shape [-1,3])",
  ],
  [
    'a fixed output dimension that the model leaves free',
    { output: [{ name: 'y', data_type: 'TYPE_FP32', dims: [7] }] },
    "model 'm', tensor 'y': the model expects 2 dimensions (shape [-1,-1]) but the model configuration specifies 2 dimensions (an initial batch dimension because max_batch_size > 0 followed by the explicit tensor shape, making complete shape [-1,7])",
  ],
  [
    'another shape without batching',
    { max_batch_size: 0 },
    "model 'm', tensor 'x': the model expects 3 dimensions (shape [-1,3,-1]) but the model configuration specifies 2 dimensions (shape [3,5])",
  ],
  [
    'batches of a model that has none',
    {},
    "model 'm', tensor 'x': for the model to support batching the shape should have at least 1 dimension and the first dimension must be -1; but shape expected by the model is [2,3,5]",
    { ...IO, inputs: [spec('x', [2, 3, 5])] },
  ],
  [
    'a scalar of several elements',
    { max_batch_size: 0 },
    "unable to load model 'm', scalar tensor 'x', should only provide 1 in the model configuration when the model doesn't support batching. Model configuration provided: [3,5].",
    { ...IO, inputs: [spec('x', [])] },
  ],
  [
    'optional inputs with batching',
    { input: [x, { ...x, optional: true }] },
    "unable to load model 'm', optional input 'x' is not supported for models that support batching",
  ],
  [
    'ragged batches of shaped inputs',
    { input: [{ ...x, allow_ragged_batch: true }] },
    "unable to load model 'm', configuration expects model provides input with shape [-1]  for ragged input 'x', model provides [-1,3,-1]",
  ],
]
test.each(cases)('%s is refused, naming both sides', (_, config, message, io) => {
  expect(() => check(config, io)).toThrow(new ServerError('INVALID_ARG', message))
})

test('tensors that the sequence scheduler fills are inputs of the model too', () => {
  const control_input: SequenceControlInput[] = [
    { name: 's', control: [{ int32_false_true: [0, 1] }] },
    { name: 'c', control: [{ kind: 'CONTROL_SEQUENCE_CORRID', data_type: 'TYPE_UINT64' }] },
  ]
  const config = { sequence_batching: { control_input } }
  const io = (start: IoSpec) => ({
    ...IO,
    inputs: [...IO.inputs, start, spec('c', [-1, 1], 'UINT64')],
  })
  expect(() => check(config, io(spec('s', [-1, 1], 'INT32')))).not.toThrow()
  expect(() => check(config, IO)).toThrow(
    "configuration specified sequence control 's', but model does not provide that input",
  )
  expect(() => check(config, io(spec('s', [-1, 2], 'INT32')))).toThrow(
    "unable to load model 'm', sequence control 's' in model has dims [2] but dims [1] is expected",
  )
  expect(() => check(config, io(spec('s', [-1, 1])))).toThrow(
    "sequence control 's', the model expects data-type FLOAT but the model configuration specifies data-type TYPE_INT32",
  )
})
