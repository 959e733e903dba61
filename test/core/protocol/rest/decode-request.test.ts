import { describe, expect, it } from 'vitest'
import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../../../core/protocol/limits.ts'
import { decodeInferRequest } from '../../../../core/protocol/rest/decode-request.ts'
import { parseInferHeader } from '../../../../core/protocol/rest/infer-header.ts'
import { CLIENT_MISTAKES } from '../../../../core/protocol/rest/status.ts'
import { failure, fakeModel, utf8 } from './fake-server.ts'

const model = fakeModel({ name: 'simple' })
const decode = (json: unknown, tail: Uint8Array = new Uint8Array(0), limits = LIMITS) => {
  const head = utf8(typeof json === 'string' ? json : JSON.stringify(json))
  const body = new Uint8Array([...head, ...tail])
  return decodeInferRequest(body, head.length, model, limits)
}
const input = (members: object): object => ({
  inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 2], ...members }],
})
const binary = (size: unknown): object => ({ parameters: { binary_data_size: size } })

describe('an infer request', () => {
  it('carries id, inputs, outputs, parameters and how to answer', () => {
    const { options, format } = decode({
      id: 'a',
      inputs: [{ name: 'X', shape: [2], datatype: 'INT16', data: [1, -2] }],
      outputs: [
        { name: 'B', parameters: { binary_data: true } },
        { name: 'A', parameters: { classification: 3 } },
        { name: 'B' },
      ],
      parameters: {
        sequence_id: 7,
        sequence_start: true,
        sequence_end: false,
        priority: 2,
        timeout: 1000,
        binary_data_output: true,
        text: 'x',
        flag: false,
        whole: 5,
        fraction: 0.5,
      },
    })
    expect(options).toEqual({
      id: 'a',
      inputs: [{ name: 'X', shape: [2], datatype: 'INT16', data: Uint8Array.of(1, 0, 254, 255) }],
      outputs: ['B', 'A'],
      priority: 2,
      timeoutUs: 1000,
      sequenceId: 7n,
      sequenceStart: true,
      sequenceEnd: false,
      parameters: new Map<string, unknown>([
        ['text', 'x'],
        ['flag', false],
        ['whole', 5n],
        ['fraction', 0.5],
      ]),
    })
    expect(format).toEqual({
      binaryDefault: true,
      outputs: [
        { name: 'B', binary: true, classification: 0, region: null },
        { name: 'A', binary: false, classification: 3, region: null },
      ],
    })
  })

  it('means the same whatever order its members are in', () => {
    const slot = '"data":[1,2],"name":"INPUT0","shape":[1,2],"datatype":"FP32"'
    expect(decode(`{"outputs":[],"inputs":[{${slot}}],"id":"i"}`)).toEqual(
      decode({ id: 'i', ...input({ data: [1, 2] }), outputs: [] }),
    )
  })

  it('asks for all outputs when it lists none', () => {
    expect(decode({ inputs: [], outputs: [] }).options.outputs).toBeNull()
    expect(decode({ inputs: [] }).options.outputs).toBeNull()
  })

  it('takes its binary tensors from the tail in order, as views', () => {
    const head = utf8(
      JSON.stringify({
        inputs: [
          { name: 'A', datatype: 'UINT8', shape: [2], ...binary(2) },
          { name: 'B', datatype: 'UINT8', shape: [1], data: [9] },
          { name: 'C', datatype: 'UINT8', shape: [0], ...binary(0) },
          { name: 'D', datatype: 'UINT8', shape: [1], ...binary(1) },
        ],
      }),
    )
    const body = new Uint8Array([...head, 1, 2, 3])
    const { inputs } = decodeInferRequest(body, head.length, model, LIMITS).options
    expect(inputs.map(({ data }) => [...data])).toEqual([[1, 2], [9], [], [3]])
    expect(inputs[0]?.data.buffer).toBe(body.buffer)
  })

  it('can be remembered unless it holds JSON data', () => {
    const header = parseInferHeader(utf8(JSON.stringify(input(binary(8)))), LIMITS)
    expect([header.reusable, header.binaryBytes]).toEqual([true, 8])
    expect(parseInferHeader(utf8(JSON.stringify(input({ data: [1, 2] }))), LIMITS).reusable).toBe(
      false,
    )
  })

  it('needs no data where its shape has no elements', () => {
    expect(decode(input({ shape: [1, 0], data: [5] })).options.inputs[0]?.data).toHaveLength(0)
  })
})

describe('a wrong request', () => {
  const some = input({ data: [1, 2] })
  // Texts as Triton 2.51.0 gives them; those it sends with 500 are the client's mistakes here.
  it.each<[unknown, string]>([
    ['[1,2]', "Unable to parse 'inputs': attempt to access non-existing object member 'inputs'"],
    [
      '{"foo":1}',
      "Unable to parse 'inputs': attempt to access non-existing object member 'inputs'",
    ],
    [{ inputs: {} }, "Unable to parse 'inputs': attempt to access JSON non-array as array"],
    [
      { inputs: [1] },
      "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters', 'shared_memory_region' in 'parameters'. But no field is set",
    ],
    [
      input({ data: [1, 2], ...binary(8) }),
      "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters', 'shared_memory_region' in 'parameters'. But set 'data' 'binary_data_size'",
    ],
    [
      { inputs: [{ data: [] }] },
      "Unable to parse 'name': attempt to access non-existing object member 'name'",
    ],
    [
      input({ data: [1, 2], name: 5 }),
      "Unable to parse 'name': attempt to access JSON non-string as string",
    ],
    [
      { inputs: [{ name: 'X', data: [] }] },
      "Unable to parse 'datatype': attempt to access non-existing object member 'datatype'",
    ],
    [
      { inputs: [{ name: 'X', datatype: 'FP32', data: [] }] },
      "Unable to parse 'shape': attempt to access non-existing object member 'shape'",
    ],
    [
      input({ data: [1, 2], shape: 'x' }),
      "Unable to parse 'shape': attempt to access JSON non-array as array",
    ],
    [
      input({ data: [1, 2], shape: [1, -2] }),
      "Unable to parse 'shape': attempt to access JSON non-unsigned-integer as unsigned-integer",
    ],
    [
      input({ data: [1, 2], shape: [1, 1.5] }),
      "Unable to parse 'shape': attempt to access JSON non-unsigned-integer as unsigned-integer",
    ],
    [input({ data: [1, 2], datatype: 'FP99' }), 'invalid datatype for input INPUT0'],
    [
      input({ data: [1, 2], datatype: 'FP16' }),
      'receiving FP16 data via JSON is not supported. Please use the binary data format for input INPUT0',
    ],
    [
      input({ data: [1, 2], datatype: 'BF16' }),
      'receiving BF16 data via JSON is not supported. Please use the binary data format for input INPUT0',
    ],
    [input({ data: {} }), "Unable to parse 'data': attempt to access JSON non-array as array"],
    [
      input({ data: [1, 'x'] }),
      "Unable to parse 'data': attempt to access JSON non-number as double",
    ],
    [
      input({ data: [1] }),
      "Unable to parse 'data': Shape does not match true shape of 'data' field",
    ],
    [
      input({ data: [1, 2, 3] }),
      "Unable to parse 'data': Shape does not match true shape of 'data' field",
    ],
    [
      input({ data: [1, 2], datatype: 'BYTES' }),
      'Unable to parse JSON bytes array: attempt to access JSON non-string as string',
    ],
    [
      input(binary(-4)),
      "Unable to parse 'binary_data_size': attempt to access JSON non-unsigned-integer as unsigned-integer",
    ],
    [
      input(binary(8)),
      "unexpected size for input 'INPUT0', expecting 8 additional bytes for model 'simple'",
    ],
    [
      {
        inputs: [
          ...(some as { inputs: object[] }).inputs,
          ...(some as { inputs: object[] }).inputs,
        ],
      },
      "[request id: <id_unknown>] input 'INPUT0' already exists in request",
    ],
    [{ ...some, id: 5 }, "Unable to parse 'id': attempt to access JSON non-string as string"],
    [
      { ...some, parameters: 5 },
      'failed to get request params.: attempt to get members for non-object',
    ],
    [
      { ...some, parameters: { foo: {} } },
      "parameter 'foo' has invalid type. It should be either 'int', 'bool', or 'string'.",
    ],
    [
      { ...some, parameters: { priority: -1 } },
      "Unable to parse 'priority': attempt to access JSON non-unsigned-integer as unsigned-integer",
    ],
    [
      '{"inputs":[],"parameters":{"priority":1.0}}',
      "Unable to parse 'priority': attempt to access JSON non-unsigned-integer as unsigned-integer",
    ],
    [
      { ...some, parameters: { timeout: 'x' } },
      "Unable to parse 'timeout': attempt to access JSON non-unsigned-integer as unsigned-integer",
    ],
    [
      { ...some, parameters: { sequence_id: -1 } },
      "Unable to parse 'sequence_id': attempt to access JSON non-string as string",
    ],
    [
      { ...some, parameters: { sequence_start: 1 } },
      "Unable to parse 'sequence_start': attempt to access JSON non-boolean as boolean",
    ],
    [
      { ...some, parameters: { binary_data_output: 1 } },
      "Unable to parse 'binary_data_output': attempt to access JSON non-boolean as boolean",
    ],
    [
      { ...some, parameters: { triton_x: 1 } },
      "parameter keys starting with 'triton_' are reserved for Triton usage and should not be specified.",
    ],
    [
      { ...some, outputs: 5 },
      "Unable to parse 'outputs': attempt to access JSON non-array as array",
    ],
    [
      { ...some, outputs: [{}] },
      "Unable to parse 'name': attempt to access non-existing object member 'name'",
    ],
    [
      { ...some, outputs: [{ name: 'O', parameters: { classification: -1 } }] },
      "Unable to set 'classification': attempt to access JSON non-unsigned-integer as unsigned-integer",
    ],
    [
      { ...some, outputs: [{ name: 'O', parameters: { binary_data: 1 } }] },
      "Unable to parse 'binary_data': attempt to access JSON non-boolean as boolean",
    ],
    [
      {
        ...some,
        outputs: [{ name: 'O', parameters: { shared_memory_region: 'r', classification: 1 } }],
      },
      "Output can't set both 'shared_memory_region' and 'classification'",
    ],
    [
      {
        ...some,
        outputs: [{ name: 'O', parameters: { shared_memory_region: 'r', binary_data: true } }],
      },
      "Output can't set both 'shared_memory_region' and 'binary_data'",
    ],
  ])('%j says what is wrong', (json, message) => {
    expect(failure(() => decode(json))).toBe(`INVALID_ARG: ${message}`)
  })

  it('that names shared memory is told that there is no such region', () => {
    const message = "NOT_FOUND: Unable to find shared memory region: 'r'"
    const parameters = { shared_memory_region: 'r', shared_memory_byte_size: 8 }
    expect(failure(() => decode(input({ parameters })))).toBe(message)
    expect(failure(() => decode({ ...some, outputs: [{ name: 'O', parameters }] }))).toBe(message)
  })

  it('with bytes left over is refused', () => {
    expect(failure(() => decode(input(binary(1)), Uint8Array.of(1, 2)))).toBe(
      "INVALID_ARG: unexpected additional input data for model 'simple'",
    )
  })

  it('is told of its syntax before anything else', () => {
    expect(failure(() => decode('{"id":5,"inputs":[{"data":["x"]}],}'))).toContain(
      'Missing a name for object member. at 34',
    )
  })

  it('hears of id, then parameters, then inputs, then outputs', () => {
    const wrong = { outputs: 5, inputs: [{}], parameters: 5, id: 5 }
    expect(failure(() => decode(wrong))).toContain("'id'")
    expect(failure(() => decode({ ...wrong, id: '' }))).toContain('params')
    expect(failure(() => decode({ ...wrong, id: '', parameters: {} }))).toContain('Input must')
    expect(failure(() => decode({ ...wrong, id: '', parameters: {}, inputs: [] }))).toContain(
      "'outputs'",
    )
  })

  it('never is a 500, unlike with Triton', () => {
    const message = failure(() => decode(input({ data: [null, 1] }))).slice('INVALID_ARG: '.length)
    expect(CLIENT_MISTAKES.some((pattern) => pattern.test(message))).toBe(true)
  })
})

describe('a raw request', () => {
  const raw = (body: Uint8Array, shape: number[], datatype: 'FP32' | 'BYTES', maxBatchSize = 8) =>
    decodeInferRequest(
      body,
      0,
      fakeModel({ name: 'raw', inputs: [{ name: 'X', datatype, shape }], maxBatchSize }),
      LIMITS,
    )

  it('is the bytes of the only input, whose free dimension follows from them', () => {
    const { options, format } = raw(new Uint8Array(24), [-1, -1, 2], 'FP32')
    expect(options.inputs).toEqual([
      { name: 'X', datatype: 'FP32', shape: [1, 3, 2], data: new Uint8Array(24) },
    ])
    expect(format).toEqual({ outputs: null, binaryDefault: true })
    expect(raw(new Uint8Array(8), [2], 'FP32', 0).options.inputs[0]?.shape).toEqual([2])
  })

  it('to a string input is its one element', () => {
    expect(raw(utf8('hi'), [-1, 1], 'BYTES').options.inputs[0]?.data).toEqual(
      Uint8Array.of(2, 0, 0, 0, 104, 105),
    )
    expect(failure(() => raw(utf8('hi'), [-1, -1], 'BYTES'))).toBe(
      "INVALID_ARG: [request id: <id_unknown>] For BYTE datatype raw input 'X', the model must have input shape [1]",
    )
  })

  it('must fit the model', () => {
    expect(failure(() => raw(new Uint8Array(9), [-1, -1], 'FP32'))).toContain('Expected 8, got 9')
    expect(failure(() => raw(new Uint8Array(8), [-1, -1, -1], 'FP32'))).toBe(
      "INVALID_ARG: [request id: <id_unknown>] The shape of the raw input 'X' can not be deduced because there are more than one variable-sized dimension",
    )
    const two = fakeModel({
      name: 'two',
      inputs: [
        { name: 'A', datatype: 'FP32', shape: [1] },
        { name: 'B', datatype: 'FP32', shape: [1] },
      ],
    })
    expect(failure(() => decodeInferRequest(new Uint8Array(0), undefined, two, LIMITS))).toBe(
      "INVALID_ARG: [request id: <id_unknown>] Raw request must only have 1 input (found 1) to be deduced but got 2 inputs in 'two' model configuration",
    )
  })
})
