import { describe, expect, test } from 'vitest'
import type { IoSpec } from '../../../core/backend/types.ts'
import { completeConfig } from '../../../core/config/autocomplete.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import type { Datatype } from '../../../core/tensor.ts'

const spec = (name: string, shape: number[], datatype: Datatype = 'FP32'): IoSpec => ({
  name,
  datatype,
  shape,
})
const BATCHED = { inputs: [spec('x', [-1, 3])], outputs: [spec('y', [-1], 'BYTES')] }
const FIXED = { inputs: [spec('x', [2, 3])], outputs: [spec('y', [])] }

function complete(config: ModelConfig, io = BATCHED, more: object = {}): ModelConfig {
  return completeConfig(config, io, { modelName: 'm', ...more })
}

describe('a model whose tensors all begin with a free dimension', () => {
  test('gets batches of four, dynamic batching, and a reshape for what is scalar per request', () => {
    expect(complete({})).toEqual({
      max_batch_size: 4,
      dynamic_batching: {},
      input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [3] }],
      output: [{ name: 'y', data_type: 'TYPE_STRING', dims: [1], reshape: { shape: [] } }],
    })
  })

  test('keeps the batch size and the scheduler that the config names', () => {
    expect(complete({ max_batch_size: 2, sequence_batching: {} })).toMatchObject({
      max_batch_size: 2,
      sequence_batching: {},
    })
    expect(complete({ max_batch_size: 2, sequence_batching: {} }).dynamic_batching).toBeUndefined()
    expect(complete({ dynamic_batching: { preserve_ordering: true } }).dynamic_batching).toEqual({
      preserve_ordering: true,
    })
  })

  test('is not batched dynamically at a batch size of one, nor at all at a default of zero', () => {
    expect(complete({ max_batch_size: 1 }).dynamic_batching).toBeUndefined()
    const off = complete({}, BATCHED, { defaultMaxBatchSize: 0 })
    expect(off).toMatchObject({
      max_batch_size: 0,
      input: [{ dims: [-1, 3] }],
      output: [{ dims: [-1] }],
    })
    expect(off.dynamic_batching).toBeUndefined()
  })
})

describe('a model that cannot batch', () => {
  test('gets whole shapes, and [1] for scalars', () => {
    expect(complete({}, FIXED)).toEqual({
      input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [2, 3] }],
      output: [{ name: 'y', data_type: 'TYPE_FP32', dims: [1] }],
    })
  })

  test('is refused where the config asks for batches', () => {
    expect(() => complete({ max_batch_size: 8 }, FIXED)).toThrow(
      "autofill failed for model 'm': model does not support batching while non-zero max_batch_size is specified",
    )
  })
})

test('only what is missing altogether is filled', () => {
  const input = [{ name: 'x', dims: [9] }]
  expect(complete({ input })).toMatchObject({ input, output: [{ name: 'y' }] })
  const whole: ModelConfig = { input, output: [{ name: 'z' }] }
  expect(complete(whole)).toBe(whole)
})

test('initializers that a request may override are no inputs of the completed config', () => {
  const io = { ...BATCHED, inputs: [...BATCHED.inputs, { ...spec('w', [3]), optional: true }] }
  expect(complete({}, io).input).toHaveLength(1)
})

test('nothing is filled when auto-completion is off or the backend cannot tell', () => {
  const config = {}
  expect(complete(config, BATCHED, { enabled: false })).toBe(config)
  expect(completeConfig(config, undefined, { modelName: 'm' })).toBe(config)
})
