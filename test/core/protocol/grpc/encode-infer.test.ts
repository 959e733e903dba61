import { describe, expect, it } from 'vitest'
import type { InferResponse } from '../../../../core/infer.ts'
import {
  COPIED_TENSOR_BYTES,
  encodeInferResponse,
  encodeStreamError,
  encodeStreamResponse,
} from '../../../../core/protocol/grpc/encode-infer.ts'
import { MessageMemory } from '../../../../core/protocol/grpc/message-memory.ts'
import type { GrpcEncodeOptions } from '../../../../core/protocol/grpc/types.ts'
import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../../../core/protocol/limits.ts'
import type { Tensor } from '../../../../core/tensor.ts'
import { fakeModel } from '../rest/fake-server.ts'
import { fakeSharedMemory } from './fake-shared-memory.ts'
import { failure, readResponse, readStreamResponse, whole } from './schema.ts'

const bytes = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => i)
const tensor = (name: string, data: Uint8Array): Tensor => ({
  name,
  datatype: 'UINT8',
  shape: [1, data.length],
  data,
})
const options = (
  response: InferResponse | null,
  more: Partial<GrpcEncodeOptions> = {},
): GrpcEncodeOptions => ({
  model: fakeModel({ labels: { X: ['zero', 'one', 'two'] } }),
  id: '',
  outputs: null,
  response,
  lease: null,
  limits: LIMITS,
  headroom: 0,
  ...more,
})

describe('a response', () => {
  it('is one piece with room in front when it is small', () => {
    const response = { outputs: [tensor('X', bytes(3))] }
    const { parts, byteLength } = encodeInferResponse(options(response, { headroom: 5, id: 'é1' }))
    expect(parts).toHaveLength(1)
    expect(parts[0]).toHaveLength(5 + byteLength)
    expect(parts[0]?.subarray(0, 5)).toEqual(new Uint8Array(5))
    expect(readResponse(parts[0]!.subarray(5))).toEqual({
      model_name: 'echo',
      model_version: '1',
      id: 'é1',
      outputs: [{ name: 'X', datatype: 'UINT8', shape: ['1', '3'] }],
      raw_output_contents: ['AAEC'],
    })
  })

  it('has large tensors as parts of their own, uncopied', () => {
    const sizes = [1, COPIED_TENSOR_BYTES + 1, 2, 0, COPIED_TENSOR_BYTES, COPIED_TENSOR_BYTES + 1]
    const outputs = sizes.map((size, i) => tensor(`O${i}`, bytes(size)))
    const { parts, byteLength } = encodeInferResponse(options({ outputs }, { headroom: 5 }))
    expect(parts).toHaveLength(4)
    expect(parts[1]).toBe(outputs[1]?.data)
    expect(parts[3]).toBe(outputs[5]?.data)
    const message = whole({ parts }).subarray(5)
    expect(message).toHaveLength(byteLength)
    expect(readResponse(message)['raw_output_contents']).toEqual(
      outputs.map(({ data }) => Buffer.from(data).toString('base64')),
    )
  })

  it('carries parameters with their types', () => {
    const parameters = new Map<string, string | boolean | number | bigint>([
      ['s', 'text'],
      ['b', false],
      ['i', -1n],
      ['d', 0.5],
    ])
    expect(readResponse(whole(encodeInferResponse(options({ outputs: [], parameters }))))).toEqual({
      model_name: 'echo',
      model_version: '1',
      parameters: {
        s: { string_param: 'text' },
        b: { bool_param: false },
        i: { int64_param: '-1' },
        d: { double_param: 0.5 },
      },
    })
  })

  it('shows an output as its best classes', () => {
    const outputs = [{ name: 'X', classification: 2, region: null }]
    const response = { outputs: [tensor('X', new Uint8Array([7, 9, 8]))] }
    const read = readResponse(whole(encodeInferResponse(options(response, { outputs }))))
    expect(read['outputs']).toEqual([{ name: 'X', datatype: 'BYTES', shape: ['1', '2'] }])
    const [raw] = read['raw_output_contents'] as string[]
    expect(Buffer.from(raw!, 'base64').toString('latin1')).toBe(
      '\x07\0\0\x009:1:one\x07\0\0\x008:2:two',
    )
  })

  it('leaves an output that goes to shared memory empty', () => {
    const { sharedMemory, written } = fakeSharedMemory()
    const ref = { region: 'r', offset: 0, byteSize: 4 }
    const outputs = [{ name: 'X', classification: 0, region: ref }]
    const lease = sharedMemory.lease('')
    const encode = (size: number) =>
      encodeInferResponse(options({ outputs: [tensor('X', bytes(size))] }, { outputs, lease }))
    expect(readResponse(whole(encode(4)))).toMatchObject({
      outputs: [{ name: 'X', datatype: 'UINT8', shape: ['1', '4'] }],
      raw_output_contents: [''],
    })
    expect(written.get('X')).toEqual(bytes(4))
    expect(failure(() => encode(5))).toBe(
      "INTERNAL: shared memory size specified with the request for output 'X' (4 bytes) should be at least 5 bytes to hold the results",
    )
  })

  it('is refused beyond 2 GiB', () => {
    const data = new Uint8Array(2 ** 28)
    const outputs = Array.from({ length: 8 }, (_, i) => tensor(`O${i}`, data))
    expect(failure(() => encodeInferResponse(options({ outputs })))).toMatch(
      /^INVALID_ARG: Response has byte size 2147483[0-9]{3} which exceeds gRPC's byte size limit 2147483647\.$/,
    )
    expect(encodeInferResponse(options({ outputs: outputs.slice(1) })).parts).toHaveLength(14)
  })
})

describe('a template', () => {
  it('gives the same bytes as no template, whatever the id and the tensors’ bytes', () => {
    const memo = { template: null }
    for (const [id, size] of [
      ['', 3],
      ['1', 3],
      ['x'.repeat(300), 3],
      ['é', 4],
      ['', 4],
    ] as const) {
      for (const offset of [0, 1]) {
        const response = { outputs: [tensor('X', bytes(size + offset).subarray(offset))] }
        const plain = whole(encodeInferResponse(options(response, { id })))
        expect(whole(encodeInferResponse(options(response, { id, memo })))).toEqual(plain)
        expect(memo.template).not.toBeNull()
      }
    }
  })

  it('keeps messages apart that share memory', () => {
    const memo = { template: null, memory: new MessageMemory() }
    const messages = Array.from({ length: 2000 }, (_, i) => {
      const response = { outputs: [tensor('X', new Uint8Array([i, i >> 8]))] }
      return encodeInferResponse(options(response, { id: String(i), memo, headroom: 5 }))
    })
    for (const [i, { parts }] of messages.entries()) {
      expect(parts[0]?.subarray(0, 5)).toEqual(new Uint8Array(5))
      expect(readResponse(parts[0]!.subarray(5))).toMatchObject({
        id: String(i),
        raw_output_contents: [Buffer.from([i, i >> 8]).toString('base64')],
      })
    }
  })

  it('is not made of an answer with parameters, nor used for one', () => {
    const memo = { template: null }
    const outputs = [tensor('X', bytes(1))]
    const parameters = new Map([['p', true]])
    encodeInferResponse(options({ outputs, parameters }, { memo }))
    expect(memo.template).toBeNull()
    encodeInferResponse(options({ outputs }, { memo }))
    const read = readResponse(
      whole(encodeInferResponse(options({ outputs, parameters }, { memo }))),
    )
    expect(read['parameters']).toEqual({ p: { bool_param: true } })
  })
})

describe('on a stream', () => {
  it.each([true, false])('a response says whether it is final: %s', (final) => {
    const response = { outputs: [tensor('X', bytes(200))] }
    const message = whole(encodeStreamResponse(options(response, { final, id: '7' })))
    expect(readStreamResponse(message)).toMatchObject({
      infer_response: {
        id: '7',
        parameters: { triton_final_response: { bool_param: final } },
        outputs: [{ name: 'X' }],
      },
    })
  })

  it('an empty final response repeats what the request named', () => {
    const message = whole(encodeStreamResponse(options(null, { final: true, id: '7' })))
    expect(readStreamResponse(message)).toEqual({
      infer_response: {
        model_name: 'echo',
        id: '7',
        parameters: { triton_final_response: { bool_param: true } },
      },
    })
  })

  it('an error names its request', () => {
    const early = encodeStreamError({ message: 'no é', id: '7', headroom: 0 })
    expect(readStreamResponse(whole(early))).toEqual({
      error_message: 'no é',
      infer_response: { id: '7' },
    })
    const late = encodeStreamError({
      message: 'no',
      id: '',
      modelName: 'm',
      modelVersion: '2',
      final: true,
      headroom: 5,
    })
    expect(readStreamResponse(whole(late).subarray(5))).toEqual({
      error_message: 'no',
      infer_response: {
        model_name: 'm',
        model_version: '2',
        parameters: { triton_final_response: { bool_param: true } },
      },
    })
  })
})
