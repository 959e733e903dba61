import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { packBytes } from '../../../core/bytes.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { InferRequest, type InferRequestOptions } from '../../../core/infer.ts'
import { createRequestCheck } from '../../../core/model/request-check.ts'
import type { Datatype, Tensor } from '../../../core/tensor.ts'

const ADD_SUB: ModelConfig = {
  max_batch_size: 8,
  input: [
    { name: 'INPUT0', data_type: 'TYPE_INT32', dims: [16] },
    { name: 'INPUT1', data_type: 'TYPE_INT32', dims: [16] },
  ],
  output: [{ name: 'OUTPUT0' }, { name: 'OUTPUT1' }],
}
const WITH_OPTIONAL: ModelConfig = {
  max_batch_size: 8,
  input: [
    { name: 'A', data_type: 'TYPE_FP32', dims: [4] },
    { name: 'B', data_type: 'TYPE_FP32', dims: [4], optional: true },
    { name: 'C', data_type: 'TYPE_FP32', dims: [4], optional: true },
  ],
}
const STRINGS: ModelConfig = {
  max_batch_size: 8,
  input: [{ name: 'INPUT0', data_type: 'TYPE_STRING', dims: [-1] }],
}
const FREE: ModelConfig = {
  max_batch_size: 8,
  input: [{ name: 'INPUT0', data_type: 'TYPE_FP32', dims: [-1, -1] }],
}
const NOTE =
  'NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be prepended to each input shape. If you want to specify the full shape including the batch dim in your input dims config, try setting max_batch_size to zero. See the model configuration docs for more info on max_batch_size.'

/** A tensor with four bytes per element unless told how many bytes it has. */
function tensor(
  name: string,
  shape: number[],
  bytes?: number,
  datatype: Datatype = 'INT32',
): Tensor {
  const size = bytes ?? shape.reduce((count, dim) => count * dim, 4)
  return { name, datatype, shape, data: new Uint8Array(size) }
}

function check(
  config: ModelConfig,
  inputs: readonly Tensor[],
  rest: Partial<InferRequestOptions> = {},
): InferRequest {
  const request = new InferRequest({ inputs, ...rest }, { answer() {} })
  createRequestCheck(config, 'm', 1).check(request)
  return request
}

function refusal(...given: Parameters<typeof check>): string {
  try {
    check(...given)
  } catch (error) {
    expect(error).toBeInstanceOf(ServerError)
    expect((error as ServerError).code).toBe('INVALID_ARG')
    return (error as ServerError).message
  }
  return 'accepted'
}

const pair = (...shape: number[]): Tensor[] => [tensor('INPUT0', shape), tensor('INPUT1', shape)]

describe('a request that fits', () => {
  test('is left as it is and learns its rows', () => {
    const inputs = pair(3, 16)
    const request = check(ADD_SUB, inputs)
    expect(request.inputs).toBe(inputs)
    expect(request.batchSize).toBe(3)
  })

  test('has its inputs put in the order of the config', () => {
    const request = check(ADD_SUB, pair(1, 16).reverse())
    expect(request.inputs.map((input) => input.name)).toEqual(['INPUT0', 'INPUT1'])
  })

  test('counts one row on a model without batching', () => {
    const config = { ...ADD_SUB, max_batch_size: 0 }
    expect(check(config, pair(16)).batchSize).toBe(1)
  })

  test('may leave out optional inputs', () => {
    const given = [tensor('C', [2, 4], undefined, 'FP32'), tensor('A', [2, 4], undefined, 'FP32')]
    const request = check(WITH_OPTIONAL, given)
    expect(request.inputs.map((input) => input.name)).toEqual(['A', 'C'])
    expect(request.batchSize).toBe(2)
  })

  test('reaches the model in the shape the model wants', () => {
    const reshape = { shape: [2, -1, 3] }
    const config: ModelConfig = {
      max_batch_size: 4,
      input: [{ name: 'INPUT0', data_type: 'TYPE_INT32', dims: [-1, 6], reshape }],
    }
    expect(check(config, [tensor('INPUT0', [2, 5, 6])]).inputs[0]?.shape).toEqual([2, 2, 5, 3])
    const scalar: ModelConfig = {
      input: [{ name: 'INPUT0', data_type: 'TYPE_INT32', dims: [1], reshape: { shape: [] } }],
    }
    expect(check(scalar, [tensor('INPUT0', [1])]).inputs[0]?.shape).toEqual([])
  })

  test('may have no elements where a dimension is free', () => {
    expect(check(FREE, [tensor('INPUT0', [2, 0, 7], 0, 'FP32')]).batchSize).toBe(2)
  })

  test('says whether its bytes matter', () => {
    expect(createRequestCheck(ADD_SUB, 'm', 1).checksContent).toBe(false)
    expect(createRequestCheck(STRINGS, 'm', 1).checksContent).toBe(true)
  })
})

describe('a request that does not fit is refused with Triton’s text', () => {
  const id = { id: 'q' }
  const cases: readonly [
    string,
    string,
    ModelConfig,
    readonly Tensor[],
    Partial<InferRequestOptions>,
  ][] = [
    [
      'no input',
      "[request id: <id_unknown>] expected 2 inputs but got 0 inputs for model 'm'. Got input(s) [], but missing required input(s) ['INPUT0','INPUT1']. Please provide all required input(s).",
      ADD_SUB,
      [],
      {},
    ],
    [
      'a missing input',
      "[request id: q] expected 2 inputs but got 1 inputs for model 'm'. Got input(s) ['INPUT0'], but missing required input(s) ['INPUT1']. Please provide all required input(s).",
      ADD_SUB,
      pair(1, 16).slice(0, 1),
      id,
    ],
    [
      'too many inputs',
      "[request id: <id_unknown>] expected 2 inputs but got 3 inputs for model 'm'. Got input(s) ['X','INPUT1','INPUT0'], but missing required input(s) ]. Please provide all required input(s).",
      ADD_SUB,
      [...pair(1, 16), tensor('X', [1, 16])],
      {},
    ],
    [
      'too few inputs of an optional model',
      "[request id: <id_unknown>] expected number of inputs between 1 and 3 but got 0 inputs for model 'm'. Got input(s) [], but missing required input(s) ['A']. Please provide all required input(s).",
      WITH_OPTIONAL,
      [],
      {},
    ],
    [
      'a required input replaced by an optional one',
      "[request id: <id_unknown>] expected number of inputs between 1 and 3 but got 1 inputs for model 'm'. Got input(s) ['B'], but missing required input(s) ['A']. Please provide all required input(s).",
      WITH_OPTIONAL,
      [tensor('B', [1, 4], undefined, 'FP32')],
      {},
    ],
    [
      'an unknown input',
      "unexpected inference input 'BAD' for model 'm'",
      ADD_SUB,
      [tensor('INPUT0', [1, 16]), tensor('BAD', [1, 16])],
      id,
    ],
    [
      'an input twice',
      "[request id: q] input 'INPUT0' already exists in request",
      ADD_SUB,
      [tensor('INPUT0', [1, 16]), tensor('INPUT0', [1, 16])],
      id,
    ],
    [
      'an unknown output',
      "unexpected inference output 'NOPE' for model 'm'",
      ADD_SUB,
      pair(1, 16),
      { ...id, outputs: ['OUTPUT0', 'NOPE'] },
    ],
    [
      'an unknown output before a missing input',
      "unexpected inference output 'NOPE' for model 'm'",
      ADD_SUB,
      [],
      { outputs: ['NOPE'] },
    ],
    [
      'another datatype, newest input first',
      "[request id: <id_unknown>] inference input 'INPUT1' data-type is 'FP32', but model 'm' expects 'INT32'",
      ADD_SUB,
      [tensor('INPUT0', [1, 16], 64, 'FP32'), tensor('INPUT1', [1, 16], 64, 'FP32')],
      {},
    ],
    [
      'another shape',
      `[request id: <id_unknown>] unexpected shape for input 'INPUT1' for model 'm'. Expected [-1,16], got [1,4]. ${NOTE}`,
      ADD_SUB,
      [tensor('INPUT0', [1, 8]), tensor('INPUT1', [1, 4])],
      {},
    ],
    [
      'another shape without batching',
      "[request id: <id_unknown>] unexpected shape for input 'INPUT0' for model 'm'. Expected [16], got [1,16]. ",
      { ...ADD_SUB, max_batch_size: 0 },
      [tensor('INPUT0', [1, 16]), tensor('INPUT1', [16])],
      {},
    ],
    [
      'a shape that is read as a large batch',
      "[request id: <id_unknown>] inference request batch-size must be <= 8 for 'm'",
      ADD_SUB,
      pair(16),
      {},
    ],
    [
      'no shape',
      "[request id: <id_unknown>] input 'INPUT0' has no shape but model requires batch dimension for 'm'",
      ADD_SUB,
      [tensor('INPUT0', []), tensor('INPUT1', [1, 16])],
      {},
    ],
    [
      'different batches',
      "[request id: <id_unknown>] input 'INPUT0' batch size does not match other inputs for 'm'",
      ADD_SUB,
      [tensor('INPUT0', [1, 16]), tensor('INPUT1', [2, 16])],
      {},
    ],
    [
      'too few bytes',
      "[request id: <id_unknown>] input byte size mismatch for input 'INPUT0' for model 'm'. Expected 64, got 60",
      ADD_SUB,
      [tensor('INPUT0', [1, 16], 60), tensor('INPUT1', [1, 16])],
      {},
    ],
    [
      'an empty batch',
      "[request id: <id_unknown>] input byte size mismatch for input 'INPUT1' for model 'm'. Expected 64, got 0",
      ADD_SUB,
      pair(0, 16),
      {},
    ],
    [
      'one empty batch',
      "[request id: <id_unknown>] input byte size mismatch for input 'INPUT1' for model 'm'. Expected 128, got 0",
      ADD_SUB,
      [tensor('INPUT0', [2, 16]), tensor('INPUT1', [0, 16])],
      {},
    ],
  ]
  test.each(cases)('%s', (_what, text, config, inputs, rest) => {
    expect(refusal(config, inputs, rest)).toBe(text)
  })
})

describe('strings', () => {
  const raw = (shape: number[], ...bytes: number[]): Tensor[] => [
    { name: 'INPUT0', datatype: 'BYTES', shape, data: Uint8Array.from(bytes) },
  ]
  const prefix = '[request id: <id_unknown>] '
  test.each([
    ['fit', 'accepted', raw([2, 1], 1, 0, 0, 0, 97, 0, 0, 0, 0)],
    ['may be none where a dimension is 0', 'accepted', raw([2, 0])],
    [
      'with half a length are refused',
      `${prefix}incomplete string length indicator for inference input 'INPUT0' for model 'm', expecting 4 bytes but only 2 bytes available. Please make sure the string length indicator is in one buffer.`,
      raw([1, 1], 1, 0),
    ],
    [
      'shorter than their length are refused',
      "incomplete string data for inference input 'INPUT0', expecting string of length 5 but only 2 bytes available",
      raw([1, 1], 5, 0, 0, 0, 97, 98),
    ],
    [
      'beyond the shape are refused',
      `${prefix}unexpected number of string elements 2 for inference input 'INPUT0' for model 'm', expecting 1`,
      raw([1, 1], 0, 0, 0, 0, 0, 0, 0, 0),
    ],
    [
      'short of the shape are refused',
      `${prefix}expected 2 string elements for inference input 'INPUT0' for model 'm', got 1`,
      raw([1, 2], 0, 0, 0, 0),
    ],
    [
      'of an empty batch are refused',
      `${prefix}expected 2 string elements for inference input 'INPUT0' for model 'm', got 0`,
      raw([0, 2]),
    ],
  ])('%s', (_what, text, inputs) => {
    expect(refusal(STRINGS, inputs)).toBe(text)
  })
})

describe('shapes that no client needs', () => {
  test.each([
    [[1, 2 ** 31, 2 ** 31]],
    [[1, 2 ** 53, 2]],
    [[1, 2 ** 53, 2 ** 53, 0].slice(0, 3)],
    [[1, -1, 4]],
    [[1, 1.5, 4]],
    [[1, Number.NaN, 4]],
    [[1, Number.POSITIVE_INFINITY, 4]],
    [[-1, 4, 4]],
    [[0.5, 4, 4]],
    [[0, 0, 0]],
    [[Number.NaN, 4, 4]],
  ])('%j is refused and allocates nothing', (shape) => {
    expect(refusal(FREE, [tensor('INPUT0', shape, 16, 'FP32')])).not.toBe('accepted')
    expect(refusal(FREE, [tensor('INPUT0', shape, 0, 'FP32')])).not.toBe('accepted')
  })

  test('a zero does not hide an overflow before it', () => {
    const config: ModelConfig = {
      max_batch_size: 8,
      input: [{ name: 'INPUT0', data_type: 'TYPE_FP32', dims: [-1, -1, -1] }],
    }
    expect(refusal(config, [tensor('INPUT0', [1, 2 ** 40, 2 ** 40, 0], 0, 'FP32')])).toMatch(
      /exceed maximum size/,
    )
  })

  const SEED = 97
  test(`what is accepted has exactly the bytes its shape says (seed ${SEED})`, () => {
    const dim = fc.oneof(
      fc.integer({ min: -2, max: 5 }),
      fc.constantFrom(2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 1e300, -0, 0.5),
    )
    const shape = fc.array(dim, { maxLength: 4 })
    fc.assert(
      fc.property(shape, fc.nat(80), fc.boolean(), (dims, bytes, strings) => {
        const config = strings ? STRINGS : FREE
        const datatype = strings ? 'BYTES' : 'FP32'
        const data = strings ? packBytes([new Uint8Array(bytes)]) : new Uint8Array(bytes)
        const inputs = [{ name: 'INPUT0', datatype, shape: dims, data } as const]
        if (refusal(config, inputs) !== 'accepted') return
        const count = dims.reduce((product, one) => product * one, 1) + 0
        expect(strings ? count : count * 4).toBe(strings ? 1 : bytes)
        expect(dims[0]).toBeGreaterThanOrEqual(1)
        expect(dims[0]).toBeLessThanOrEqual(8)
      }),
      { seed: SEED, numRuns: 20_000 },
    )
  })
})
