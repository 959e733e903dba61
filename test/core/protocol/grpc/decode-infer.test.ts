import { describe, expect, it } from 'vitest'
import { decodeInferRequest } from '../../../../core/protocol/grpc/decode-infer.ts'
import { MAX_NAME_BYTES } from '../../../../core/protocol/grpc/infer-message.ts'
import type { GrpcInferRequest } from '../../../../core/protocol/grpc/types.ts'
import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../../../core/protocol/limits.ts'
import { utf8 } from '../rest/fake-server.ts'
import { fakeSharedMemory } from './fake-shared-memory.ts'
import { contents, failure, field, request } from './schema.ts'

type Fields = Record<string, unknown>

const CONTEXT = { limits: LIMITS, sharedMemory: null, owner: '' }
const decode = (fields: Fields, context = CONTEXT): GrpcInferRequest =>
  decodeInferRequest(request(fields), context)

const RAW = new Uint8Array([1, 2, 3, 4])
const input = (fields: Fields = {}): Fields => ({
  name: 'A',
  datatype: 'INT32',
  shape: [1],
  ...fields,
})
/** A request for model `m` with one raw input `A`. */
const plain = (fields: Fields = {}): Fields => ({
  model_name: 'm',
  inputs: [input()],
  raw_input_contents: [RAW],
  ...fields,
})
const int = (value: number | string): Fields => ({ int64_param: value })
const region = (fields: Fields = {}): Fields => ({
  shared_memory_region: { string_param: 'r' },
  shared_memory_byte_size: int(4),
  ...fields,
})

describe('a request', () => {
  it('has its raw inputs as views on the message', () => {
    const message = request(plain())
    const [tensor] = decodeInferRequest(message, CONTEXT).options.inputs
    expect(tensor).toEqual({ name: 'A', datatype: 'INT32', shape: [1], data: RAW })
    expect(tensor?.data.buffer).toBe(message.buffer)
  })

  it('gives the raw contents to the inputs that are not in shared memory', () => {
    const { sharedMemory, owners } = fakeSharedMemory()
    const fields = plain({
      inputs: [input({ name: 'S', parameters: region({ shared_memory_offset: int(8) }) }), input()],
    })
    const { options, lease } = decode(fields, {
      limits: LIMITS,
      sharedMemory,
      owner: 'tenant',
    } as never)
    expect(options.inputs.map(({ name, data }) => [name, [...data]])).toEqual([
      ['S', [8, 9, 10, 11]],
      ['A', [1, 2, 3, 4]],
    ])
    expect(owners).toEqual(['tenant'])
    expect(lease).not.toBeNull()
  })

  it('closes its lease when something else is wrong with it', () => {
    const { sharedMemory, state } = fakeSharedMemory()
    const fields = plain({
      inputs: [input({ parameters: region() }), input({ name: 'B' })],
      raw_input_contents: [],
    })
    expect(failure(() => decode(fields, { ...CONTEXT, sharedMemory } as never))).toContain("'B'")
    expect(state.open).toBe(0)
  })

  it('passes parameters on with their types, and keeps its own', () => {
    const { options, emptyFinal } = decode(
      plain({
        parameters: {
          text: { string_param: 'é' },
          whole: int('9223372036854775807'),
          fraction: { double_param: 2 },
          yes: { bool_param: true },
          sequence_id: int(-1),
          sequence_start: { bool_param: true },
          sequence_end: { bool_param: true },
          priority: { uint64_param: 3 },
          timeout: int(5),
          triton_enable_empty_final_response: { bool_param: true },
        },
      }),
    )
    expect(options.parameters).toEqual(
      new Map<string, unknown>([
        ['text', 'é'],
        ['whole', 9223372036854775807n],
        ['fraction', 2],
        ['yes', true],
      ]),
    )
    expect(options).toMatchObject({
      sequenceId: 18446744073709551615n,
      sequenceStart: true,
      sequenceEnd: true,
      priority: 3,
      timeoutUs: 5,
    })
    expect(emptyFinal).toBe(true)
  })

  it('names each output once, with what is asked of any mention', () => {
    const { outputs, options } = decode(
      plain({
        outputs: [
          { name: 'X' },
          { name: 'Y', parameters: { classification: int(2) } },
          { name: 'X', parameters: { classification: int(3) } },
          { name: 'Y', parameters: { classification: int(4) } },
        ],
      }),
    )
    expect(outputs?.map((o) => [o.name, o.classification])).toEqual([
      ['X', 3],
      ['Y', 2],
    ])
    expect(options.outputs).toEqual(['X', 'Y'])
  })

  it.each<[string, Fields, number[]]>([
    ['BOOL', { bool_contents: [true, false] }, [1, 0]],
    ['INT8', { int_contents: [-1, 127] }, [255, 127]],
    ['INT16', { int_contents: [-2, 256] }, [254, 255, 0, 1]],
    ['INT32', { int_contents: [-1] }, [255, 255, 255, 255]],
    ['INT64', { int64_contents: ['-9223372036854775808'] }, [0, 0, 0, 0, 0, 0, 0, 128]],
    ['UINT8', { uint_contents: [255] }, [255]],
    ['UINT16', { uint_contents: [65_535] }, [255, 255]],
    ['UINT32', { uint_contents: [4_294_967_295] }, [255, 255, 255, 255]],
    ['UINT64', { uint64_contents: ['18446744073709551615'] }, new Array(8).fill(255)],
    ['FP32', { fp32_contents: [1] }, [0, 0, 128, 63]],
    ['FP64', { fp64_contents: [1] }, [0, 0, 0, 0, 0, 0, 240, 63]],
    [
      'BYTES',
      { bytes_contents: [new Uint8Array([7]), new Uint8Array()] },
      [1, 0, 0, 0, 7, 0, 0, 0, 0],
    ],
    ['INT32', {}, []],
  ])('%s by value becomes little-endian bytes', (datatype, contents, bytes) => {
    const { options } = decode({ model_name: 'm', inputs: [input({ datatype, contents })] })
    expect([...(options.inputs[0]?.data ?? [])]).toEqual(bytes)
  })
})

const PLACE = "unexpected explicit tensor data for input tensor 'A' for model 'm'"
const RESERVED =
  "parameter keys starting with 'triton_' are reserved for Triton usage. Only the following keys starting with 'triton_' are allowed: triton_enable_empty_final_response"
const typed = (contents: Fields, datatype = 'FP32'): Fields => ({
  model_name: 'm',
  inputs: [input({ datatype, contents })],
})
const output = (parameters: Fields): Fields => plain({ outputs: [{ name: 'X', parameters }] })
const tensor = (parameters: Fields): Fields => plain({ inputs: [input({ parameters })] })

describe('what is wrong is told in Triton’s words', () => {
  it.each<[string, Fields]>([
    [
      "contents field must not be specified when using raw_input_contents for 'A' for model 'm'",
      plain({ inputs: [input({ contents: {} })] }),
    ],
    [
      "unable to find data for input tensor 'A' for model 'm' in request.",
      plain({ raw_input_contents: [] }),
    ],
    [
      "unexpected 'content' provided when using shared memory for input tensor 'A' for model 'm'",
      plain({ inputs: [input({ contents: {}, parameters: region() })] }),
    ],
    [
      `${PLACE}, binary data was already supplied.`,
      typed({ int_contents: [1], fp32_contents: [1] }, 'INT32'),
    ],
    [`${PLACE} of type 'INT32', expected datatype 'FP32'`, typed({ int_contents: [1] })],
    [`${PLACE} of type 'BOOL', expected datatype 'FP32'`, typed({ bool_contents: [true] })],
    [`${PLACE} of type 'INT64', expected datatype 'FP32'`, typed({ int64_contents: [1] })],
    [`${PLACE} of type 'UINT32', expected datatype 'FP32'`, typed({ uint_contents: [1] })],
    [`${PLACE} of type 'UINT64', expected datatype 'FP32'`, typed({ uint64_contents: [1] })],
    [`${PLACE} of type 'FP32', expected datatype 'FP16'`, typed({ fp32_contents: [1] }, 'FP16')],
    [`${PLACE} of type 'FP64', expected datatype 'BF16'`, typed({ fp64_contents: [1] }, 'BF16')],
    [
      `${PLACE} of type 'BYTES', expected datatype '<invalid>'`,
      typed({ bytes_contents: [RAW] }, 'FOO'),
    ],
    [
      "[request id: 7] input 'A' already exists in request",
      plain({ id: '7', inputs: [input(), input()] }),
    ],
    [
      "invalid value type for 'sequence_id' parameter, expected int64_param or string_param.",
      plain({ parameters: { sequence_id: { bool_param: true } } }),
    ],
    [
      "invalid value type for 'sequence_start' parameter, expected bool_param.",
      plain({ parameters: { sequence_start: int(1) } }),
    ],
    [
      "invalid value type for 'sequence_end' parameter, expected bool_param.",
      plain({ parameters: { sequence_end: {} } }),
    ],
    [
      "invalid value type for 'priority' parameter, expected int64_param or uint64_param.",
      plain({ parameters: { priority: { string_param: '1' } } }),
    ],
    [
      "invalid value for 'priority', expected value >= 0.",
      plain({ parameters: { priority: int(-1) } }),
    ],
    [
      "invalid value type for 'timeout' parameter, expected int64_param.",
      plain({ parameters: { timeout: { uint64_param: 1 } } }),
    ],
    [
      "invalid value type for 'triton_enable_empty_final_response' parameter, expected bool_param.",
      plain({ parameters: { triton_enable_empty_final_response: int(1) } }),
    ],
    [RESERVED, plain({ parameters: { triton_x: int(1) } })],
    [
      "invalid value type for 'p' parameter, expected int64_param, bool_param, or string_param.",
      plain({ parameters: { p: { uint64_param: 1 } } }),
    ],
    [
      "invalid value type for 'p' parameter, expected int64_param, bool_param, or string_param.",
      plain({ parameters: { p: {} } }),
    ],
    [
      "invalid value type for 'shared_memory_region' parameter for tensor 'A', expected string_param.",
      tensor({ shared_memory_region: int(1) }),
    ],
    [
      "'shared_memory_offset' can not be specified without 'shared_memory_region' parameter for tensor 'A'",
      tensor({ shared_memory_offset: int(1) }),
    ],
    [
      "invalid value type for 'shared_memory_offset' parameter for tensor 'A', expected int64_param.",
      tensor(region({ shared_memory_offset: { string_param: '1' } })),
    ],
    [
      "'shared_memory_byte_size' can not be specified without 'shared_memory_region' parameter for tensor 'A'",
      tensor({ shared_memory_byte_size: int(1) }),
    ],
    [
      "invalid value type for 'shared_memory_byte_size' parameter for tensor 'A', expected int64_param.",
      tensor(region({ shared_memory_byte_size: { uint64_param: 1 } })),
    ],
    [
      "'shared_memory_byte_size' must be specified along with 'shared_memory_region' parameter for tensor 'X'",
      output({ shared_memory_region: { string_param: 'r' } }),
    ],
    [
      "invalid value type for 'classification' parameter, expected int64_param",
      output({ classification: { string_param: '1' } }),
    ],
    [
      "invalid value for 'classification' parameter, expected >= 0",
      output({ classification: int(0) }),
    ],
    [
      "output can't set both 'shared_memory_region' and 'classification'",
      output(region({ classification: int(1) })),
    ],
  ])('%s', (text, fields) => {
    expect(failure(() => decode(fields))).toBe(`INVALID_ARG: ${text}`)
  })

  it('no region is found where there are none', () => {
    const text = "NOT_FOUND: Unable to find shared memory region: 'r'"
    expect(failure(() => decode(tensor(region())))).toBe(text)
    expect(failure(() => decode(output(region())))).toBe(text)
  })

  it('a string sequence id has 128 characters at most', () => {
    const fields = (length: number): Fields =>
      plain({ parameters: { sequence_id: { string_param: 's'.repeat(length) } } })
    expect(decode(fields(128)).options.sequenceId).toHaveLength(128)
    expect(failure(() => decode(fields(129)))).toBe(
      'UNSUPPORTED: string correlation ID cannot be longer than 128 characters',
    )
  })
})

describe('limits', () => {
  const many = (count: number): Fields[] =>
    Array.from({ length: count }, (_, i) => input({ name: `A${i}` }))
  const named = (count: number): Fields =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, int(i)]))

  it.each<[string, number, (size: number) => Fields]>([
    [
      'inputs',
      LIMITS.tensors,
      (n) =>
        plain({
          inputs: many(n),
          raw_input_contents: new Array(Math.min(n, LIMITS.tensors)).fill(RAW),
        }),
    ],
    ['raw contents', LIMITS.tensors, (n) => plain({ raw_input_contents: new Array(n).fill(RAW) })],
    ['outputs', LIMITS.tensors, (n) => plain({ outputs: many(n).map(({ name }) => ({ name })) })],
    ['dimensions', LIMITS.dims, (n) => plain({ inputs: [input({ shape: new Array(n).fill(1) })] })],
    ['parameters', LIMITS.parameters, (n) => plain({ parameters: named(n) })],
    ['bytes of the id', LIMITS.idBytes, (n) => plain({ id: 'x'.repeat(n) })],
    ['bytes of a name', MAX_NAME_BYTES, (n) => plain({ model_name: 'x'.repeat(n) })],
    [
      'bytes of a string parameter',
      LIMITS.stringParameterBytes,
      (n) => plain({ parameters: { p: { string_param: 'x'.repeat(n) } } }),
    ],
  ])('%s: one more than allowed is refused', (_, limit, fields) => {
    expect(failure(() => decode(fields(limit - 1)))).toBe('no error')
    expect(failure(() => decode(fields(limit)))).toBe('no error')
    expect(failure(() => decode(fields(limit + 1)))).toMatch(
      /^INVALID_ARG: .*(the limit is|more than) [0-9]+/,
    )
  })
})

it('values come in 16 pieces at most', () => {
  const piece = field(5, contents({ int_contents: [1] }))
  const message = (pieces: number): Uint8Array => {
    const parts = [field(1, utf8('A')), field(2, utf8('INT32')), ...new Array(pieces).fill(piece)]
    return field(5, new Uint8Array(Buffer.concat(parts)))
  }
  expect(decodeInferRequest(message(16), CONTEXT).options.inputs[0]?.data).toHaveLength(64)
  expect(failure(() => decodeInferRequest(message(17), CONTEXT))).toBe(
    'INVALID_ARG: tensor contents in too many pieces',
  )
})

describe('malformed bytes', () => {
  const message = request(plain())
  const more = (...bytes: number[]): Uint8Array => new Uint8Array([...message, ...bytes])

  it.each<[string, Uint8Array]>([
    ['no tag', new Uint8Array([0xff, 0xff, 0xff])],
    ['an id that is not UTF-8', more(0x1a, 1, 0xff)],
    ['field 0', more(0)],
    ['a length beyond the end', more(0x1a, 2, 0x41)],
    ['a group without end', more(0xa3, 6)],
    ['an end without group', more(0xa4, 6)],
    ['wire type 7', more(0x4f)],
    ['a varint of eleven bytes', more(0x40, ...new Array(10).fill(0xff), 1)],
    ['a group with another’s end', more(0xa3, 6, 0xac, 6)],
    ['a packed varint cut short', more(0x2a, 5, 0x2a, 3, 0x12, 1, 0x80)],
    ['contents cut short', more(0x2a, 5, 0x2a, 3, 0x32, 1, 0)],
  ])('are no message: %s', (_, bytes) => {
    expect(failure(() => decodeInferRequest(bytes, CONTEXT))).toMatch(/^ProtoError: /)
  })

  it('do not count where nobody knows the field', () => {
    const groups = [0xa3, 6, 0x08, 1, 0xab, 6, 0xac, 6, 0xa4, 6]
    const fields = [0x40, 1, 0x49, 0, 0, 0, 0, 0, 0, 0, 0, 0x4d, 0, 0, 0, 0, 0x52, 1, 0, 0x18, 1]
    expect(decodeInferRequest(more(...groups, ...fields), CONTEXT)).toEqual(
      decodeInferRequest(message, CONTEXT),
    )
  })
})
