import { expect, test } from 'vitest'
import { onnxBackend } from '../../../adapters/backends/onnx.ts'
import { batchInputs } from '../../../adapters/backends/onnx-batch-inputs.ts'
import type { BatchInput } from '../../../core/config/types.ts'
import type { Tensor } from '../../../core/tensor.ts'
import { execute, floats, floatsOf, outputOf, requestOf } from '../../contract/backend.ts'
import { fixture, realClock } from './onnx-fixtures.ts'

const x = (shape: number[]): Tensor => ({
  name: 'X',
  datatype: 'FP32',
  shape,
  data: floats(new Array(shape.reduce((all, dim) => all * dim, 1)).fill(1)),
})
const ragged = { max_batch_size: 8, input: [{ name: 'X', allow_ragged_batch: true }] }

/** The described input for a batch of requests whose X has these shapes. */
function described(kind: NonNullable<BatchInput['kind']>, ...shapes: number[][]) {
  const batch_input: BatchInput[] = [
    { kind, target_name: ['B'], data_type: 'TYPE_INT32', source_input: ['X'] },
  ]
  const requests = shapes.map((shape) => requestOf([x(shape)], shape[0]))
  const size = shapes.reduce((rows, shape) => rows + (shape[0] as number), 0)
  const [joined, extra] = batchInputs({ ...ragged, batch_input })!({ requests, size }).requests[0]!
    .inputs
  return {
    joined: joined!.shape,
    shape: extra!.shape,
    values: [...new Int32Array(extra!.data.slice().buffer)],
  }
}

test('a config without batch_input needs no joining beforehand', () => {
  expect(batchInputs(ragged)).toBeUndefined()
})

test.each([
  ['BATCH_ELEMENT_COUNT', [3], [2, 1, 4]],
  ['BATCH_ACCUMULATED_ELEMENT_COUNT', [3], [2, 3, 7]],
  ['BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO', [4], [0, 2, 3, 7]],
  ['BATCH_MAX_ELEMENT_COUNT_AS_SHAPE', [4], [0, 0, 0, 0]],
  ['BATCH_ITEM_SHAPE', [3, 1], [2, 1, 4]],
  ['BATCH_ITEM_SHAPE_FLATTEN', [3], [2, 1, 4]],
] as const)('%s describes requests of 2, 1 and 4 elements', (kind, shape, values) => {
  expect(described(kind, [1, 2], [1, 1], [1, 4])).toEqual({ joined: [7], shape, values })
})

test('a request of several rows counts as that many items', () => {
  expect(described('BATCH_ITEM_SHAPE', [2, 3, 1], [1, 5, 6])).toEqual({
    joined: [36],
    shape: [3, 2],
    values: [3, 1, 3, 1, 5, 6],
  })
})

test('the model gets the described input beside the joined one', async () => {
  const backend = onnxBackend({ clock: realClock })
  // optional.onnx: Y = X + W; W is what the batch says of itself.
  const batch_input: BatchInput[] = [
    {
      kind: 'BATCH_ELEMENT_COUNT',
      target_name: ['W'],
      data_type: 'TYPE_FP32',
      source_input: ['X'],
    },
  ]
  const config = { max_batch_size: 8, batch_input }
  const model = await backend.load(fixture('optional', config))
  const instance = await model.instance({ name: 'o_0', kind: 'KIND_CPU', device: 0 }, config)
  for (let i = 0; i < 3; i++) {
    const requests = [requestOf([x([1, 2])]), requestOf([x([2, 2])], 2)]
    const answer = await execute(instance, requests)
    expect(floatsOf(outputOf(answer, 'Y'))).toEqual([3, 5, 3, 5, 3, 5])
  }
  await model.close()
  await backend.close?.()
})
