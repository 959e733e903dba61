import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { packBytes } from '../../../../core/bytes.ts'
import type { InferResponse } from '../../../../core/infer.ts'
import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../../../core/protocol/limits.ts'
import { decodeInferRequest } from '../../../../core/protocol/rest/decode-request.ts'
import { encodeInferResponse } from '../../../../core/protocol/rest/infer-response.ts'
import type { ResponseFormat } from '../../../../core/protocol/rest/types.ts'
import type { Datatype, Tensor } from '../../../../core/tensor.ts'
import { failure, fakeModel, text, utf8 } from './fake-server.ts'

const model = fakeModel({ labels: { OUT: ['zero', 'one'] } })
const JSON_FORMAT: ResponseFormat = { outputs: null, binaryDefault: false }
const encode = (response: InferResponse, format = JSON_FORMAT, id = '', limits = LIMITS) =>
  encodeInferResponse({ model, id, format, response, limits })
const tensor = (datatype: Datatype, shape: number[], values: ArrayBufferView): Tensor => ({
  name: 'OUT',
  datatype,
  shape,
  data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
})
/** The text of the data of a response's only output. */
const dataText = (output: Tensor): string => {
  const json = text(encode({ outputs: [output] }).json)
  return json.slice(json.indexOf('"data":') + 7, -3)
}

describe('an infer response', () => {
  it('names the model and its outputs, and the id only where there is one', () => {
    const response = { outputs: [tensor('INT32', [1, 2], Int32Array.of(1, -2))] }
    const rest =
      '"model_name":"echo","model_version":"1","outputs":[{"name":"OUT","datatype":"INT32","shape":[1,2],"data":[1,-2]}]}'
    expect(text(encode(response).json)).toBe(`{${rest}`)
    expect(text(encode(response, JSON_FORMAT, 'a\n"\u001f').json)).toBe(
      `{"id":"a\\n\\"\\u001F",${rest}`,
    )
  })

  it('carries the parameters of the backend', () => {
    const parameters = new Map<string, string | boolean | number | bigint>([
      ['s', 'x"'],
      ['b', true],
      ['i', 5n],
      ['d', 5],
    ])
    expect(text(encode({ outputs: [], parameters }).json)).toBe(
      '{"model_name":"echo","model_version":"1","parameters":{"s":"x\\"","b":true,"i":5,"d":5.0},"outputs":[]}',
    )
  })

  it('puts binary outputs behind the JSON, without copying them', () => {
    const outputs = [
      { ...tensor('UINT8', [2], Uint8Array.of(1, 2)), name: 'A' },
      { ...tensor('UINT8', [0], new Uint8Array(0)), name: 'B' },
      { ...tensor('UINT8', [1], Uint8Array.of(3)), name: 'C' },
    ]
    const { json, tails, binary } = encode(
      { outputs },
      {
        binaryDefault: true,
        outputs: [{ name: 'C', binary: false, classification: 0 }],
      },
    )
    expect(JSON.parse(text(json)).outputs).toEqual([
      { name: 'A', datatype: 'UINT8', shape: [2], parameters: { binary_data_size: 2 } },
      { name: 'B', datatype: 'UINT8', shape: [0], parameters: { binary_data_size: 0 } },
      { name: 'C', datatype: 'UINT8', shape: [1], data: [3] },
    ])
    expect(binary).toBe(true)
    expect(tails).toHaveLength(1)
    expect(tails[0]).toBe(outputs[0]?.data)
  })

  it('is plain JSON when all its binary outputs are empty', () => {
    const format = { outputs: null, binaryDefault: true }
    expect(encode({ outputs: [tensor('FP32', [1, 0], new Uint8Array(0))] }, format).binary).toBe(
      false,
    )
  })
})

describe('JSON data', () => {
  it('prints doubles as Triton does', () => {
    const values = [
      1e21,
      1e20,
      1e-6,
      1.5e-7,
      5e-324,
      1.7976931348623157e308,
      100,
      0.1,
      -0,
      Number.NaN,
    ]
    expect(dataText(tensor('FP64', [10], Float64Array.from(values)))).toBe(
      '[1e21,100000000000000000000.0,0.000001,1.5e-7,5e-324,1.7976931348623157e308,100.0,0.1,-0.0,NaN]',
    )
    const singles = [Number.NaN, 1 / 0, -1 / 0, -0, 0, 1e-7, 123456789012345680000]
    expect(dataText(tensor('FP32', [7], Float32Array.from(singles)))).toBe(
      '[NaN,Infinity,-Infinity,-0.0,0.0,1.0000000116860974e-7,123456789557014430000.0]',
    )
  })

  it('prints booleans and integers of every width exactly', () => {
    expect(dataText(tensor('BOOL', [3], Uint8Array.of(1, 0, 2)))).toBe('[true,false,true]')
    expect(dataText(tensor('INT8', [2], Int8Array.of(-128, 127)))).toBe('[-128,127]')
    expect(dataText(tensor('UINT32', [1], Uint32Array.of(4294967295)))).toBe('[4294967295]')
    const signed = [0n, -1n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n, -4294967297n]
    expect(dataText(tensor('INT64', [6], BigInt64Array.from(signed)))).toBe(`[${signed}]`)
    const unsigned = [2n ** 64n - 1n, 2n ** 32n]
    expect(dataText(tensor('UINT64', [2], BigUint64Array.from(unsigned)))).toBe(`[${unsigned}]`)
  })

  it('escapes strings as Triton does and leaves other bytes alone', () => {
    const strings = [
      utf8('a"\\\n\u0001\u001f/é\u2028\u007f'),
      utf8('\0x'),
      Uint8Array.of(0xff),
      utf8(''),
    ]
    const { json } = encode({ outputs: [tensor('BYTES', [4], packBytes(strings))] })
    const at = text(json).indexOf('"data":')
    expect(text(json).slice(at)).toBe(
      '"data":["a\\"\\\\\\n\\u0001\\u001F/é\u2028\u007f","\\u0000x","\ufffd",""]}]}',
    )
    expect(json.includes(0xff)).toBe(true)
  })

  it('survives a round trip through a request, whatever the values', () => {
    const cases: [Datatype, fc.Arbitrary<ArrayBufferView & { length: number }>][] = [
      ['FP32', fc.float32Array({ noNaN: true, minLength: 1 })],
      ['FP64', fc.float64Array({ noNaN: true, minLength: 1 })],
      ['INT8', fc.int8Array({ minLength: 1 })],
      ['UINT16', fc.uint16Array({ minLength: 1 })],
      ['INT32', fc.int32Array({ minLength: 1 })],
      ['INT64', fc.bigInt64Array({ minLength: 1 })],
      ['UINT64', fc.bigUint64Array({ minLength: 1 })],
    ]
    for (const [datatype, values] of cases) {
      fc.assert(
        fc.property(values, (array) => {
          const output = tensor(datatype, [array.length], array)
          const { json } = encode({ outputs: [output] })
          const request = utf8(text(json).replace('"outputs"', '"inputs"'))
          const { inputs } = decodeInferRequest(request, undefined, model, LIMITS).options
          expect(inputs[0]?.data).toEqual(output.data)
        }),
        { numRuns: 500, seed: 11 },
      )
    }
  })

  it('reads tensors at any offset of their buffer', () => {
    const buffer = new Uint8Array(9)
    new DataView(buffer.buffer).setFloat32(1, 1.5, true)
    new DataView(buffer.buffer).setFloat32(5, -2, true)
    expect(dataText({ name: 'OUT', datatype: 'FP32', shape: [2], data: buffer.subarray(1) })).toBe(
      '[1.5,-2.0]',
    )
  })

  it('is refused for half precision', () => {
    expect(failure(() => dataText(tensor('FP16', [1], new Uint8Array(2))))).toBe(
      'INVALID_ARG: sending FP16 data via JSON is not supported. Please use the binary data format for output',
    )
    expect(failure(() => dataText(tensor('BF16', [1], new Uint8Array(2))))).toContain('BF16')
  })

  it('of a backend that returned too little is an error of ours', () => {
    expect(failure(() => dataText(tensor('FP32', [2], new Uint8Array(4))))).toContain(
      'INTERNAL: Failed',
    )
    expect(failure(() => dataText(tensor('BYTES', [2], packBytes([utf8('a')]))))).toContain(
      'INTERNAL',
    )
    expect(failure(() => dataText(tensor('BYTES', [1], Uint8Array.of(9, 0, 0, 0))))).toContain(
      'INTERNAL',
    )
  })
})

describe('classification', () => {
  const classes = (output: Tensor, count: number, binary = false, limits = LIMITS) => {
    const format = {
      binaryDefault: false,
      outputs: [{ name: 'OUT', binary, classification: count }],
    }
    return encode({ outputs: [output] }, format, '', limits)
  }
  const strings = (output: Tensor, count: number): { shape: number[]; data: string[] } =>
    JSON.parse(text(classes(output, count).json)).outputs[0]

  it('gives the best of each batch item with index and label', () => {
    const output = tensor('FP32', [2, 3], Float32Array.of(0.5, 3, 1, 9, 8, 7))
    expect(strings(output, 2)).toMatchObject({
      datatype: 'BYTES',
      shape: [2, 2],
      data: ['3.000000:1:one', '1.000000:2', '9.000000:0:zero', '8.000000:1:one'],
    })
  })

  it('gives what there is when asked for more', () => {
    expect(strings(tensor('FP32', [1, 2], Float32Array.of(1, 2)), 9).shape).toEqual([1, 2])
    expect(strings(tensor('FP32', [1, 0], new Float32Array(0)), 9)).toMatchObject({
      shape: [1, 0],
      data: [],
    })
  })

  it('prints values as C does', () => {
    const values = Float32Array.of(0.0078125, 0.0234375, 1e30, -1e-9, Number.NaN, 1 / 0)
    expect(strings(tensor('FP32', [1, 6], values), 6).data).toEqual([
      'inf:5',
      '1000000015047466219876688855040.000000:2',
      '0.023438:1:one',
      '0.007812:0:zero',
      '-0.000000:3',
      'nan:4',
    ])
    expect(strings(tensor('INT64', [1, 2], BigInt64Array.of(-5n, 2n ** 63n - 1n)), 2).data).toEqual(
      ['9223372036854775807:1:one', '-5:0:zero'],
    )
  })

  it('finds the same classes as sorting does', () => {
    fc.assert(
      fc.property(
        fc.int16Array({ minLength: 1, maxLength: 200 }),
        fc.nat({ max: 220 }),
        (values, k) => {
          const count = k + 1
          const expected = [...values.keys()]
            .sort((a, b) => values[b]! - values[a]! || a - b)
            .slice(0, count)
          const { data } = strings(tensor('INT16', [1, values.length], values), count)
          expect(data.map((entry) => Number(entry.split(':')[1]))).toEqual(expected)
        },
      ),
      { numRuns: 500, seed: 13 },
    )
  })

  it('can be binary', () => {
    const { tails } = classes(tensor('UINT8', [1, 1], Uint8Array.of(7)), 1, true)
    expect(tails).toEqual([packBytes([utf8('7:0:zero')])])
  })

  it('is refused for what has no order', () => {
    for (const datatype of ['FP16', 'BF16', 'BOOL', 'BYTES'] as const) {
      expect(failure(() => classes(tensor(datatype, [1, 1], new Uint8Array(2)), 1))).toBe(
        `INVALID_ARG: class result not available for output due to unsupported type '${datatype}'`,
      )
    }
  })
})
