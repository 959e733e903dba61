import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../core/protocol/limits.ts'
import { decodeInferRequest } from '../../core/protocol/rest/decode-request.ts'
import { DATATYPE_SIZES } from '../../core/tensor.ts'
import { failure, fakeModel, utf8 } from '../core/protocol/rest/fake-server.ts'

const model = fakeModel()
const decode = (json: string, tail = new Uint8Array(0)) => {
  const head = utf8(json)
  return () =>
    decodeInferRequest(new Uint8Array([...head, ...tail]), head.length, model, LIMITS).options
}
const EDGES = [
  '0',
  '1',
  '2',
  '-0',
  '-1',
  '1.0',
  '1e2',
  '1e400',
  '65536',
  '2147483647',
  '2147483648',
  '4294967295',
  '4294967296',
  '9007199254740991',
  '9007199254740992',
  '9223372036854775807',
  '9223372036854775808',
  '18446744073709551615',
  '18446744073709551616',
  '99999999999999999999999',
  '-9223372036854775808',
  'null',
  'true',
  '"1"',
  '[1]',
  'NaN',
]

describe('sizes', () => {
  it('of any kind are taken or refused, never trusted', () => {
    const edge = fc.constantFrom(...EDGES)
    const datatype = fc.constantFrom(...Object.keys(DATATYPE_SIZES), 'FP99')
    fc.assert(
      fc.property(
        datatype,
        fc.array(edge, { maxLength: 4 }),
        edge,
        fc.boolean(),
        fc.nat({ max: 70 }),
        (type, shape, size, binary, tail) => {
          const source = binary ? `"parameters":{"binary_data_size":${size}}` : `"data":[1,${size}]`
          const json = `{"inputs":[{"name":"I","datatype":"${type}","shape":[${shape}],${source}}]}`
          let bytes = 0
          const message = failure(() => {
            for (const { data } of decode(json, new Uint8Array(tail))().inputs) {
              bytes += data.buffer.byteLength
            }
          })
          expect(message).toMatch(/^(no error|INVALID_ARG: .+)/)
          // Nothing is allocated that the body does not hold.
          expect(bytes).toBeLessThan(8 * (json.length + tail) + 512)
        },
      ),
      { numRuns: 20_000, seed: 20261121 },
    )
  })

  it('whose product a double rounds are refused', () => {
    const shape = (dims: string): string =>
      `{"inputs":[{"name":"I","datatype":"FP32","shape":[${dims}],"data":[1]}]}`
    expect(failure(decode(shape('4294967296,4294967296')))).toBe(
      "INVALID_ARG: invalid shape for input 'I': shape [4294967296,4294967296] causes total element count to exceed maximum size of 9007199254740991",
    )
    expect(failure(decode(shape('9223372036854775808')))).toBe(
      "INVALID_ARG: invalid shape for input 'I': shape [9223372036854775808] contains one or more invalid dimensions",
    )
    expect(failure(decode(shape('9007199254740991')))).toContain('byte size overflow')
    expect(failure(decode(shape('1099511627776')))).toBe(
      "INVALID_ARG: JSON input 'I' has a byte_size (4398046511104 bytes) that exceeds the maximum allowed value of 67108864 bytes. Use --http-max-input-size to increase the limit.",
    )
  })

  it('of JSON data may together be as large as a body, not larger', () => {
    const limits = { ...LIMITS, bodyBytes: 1000 }
    const two = (count: number) => () => {
      const input = (name: string): string =>
        `{"name":"${name}","datatype":"FP64","shape":[${count}],"data":[${Array(count).fill(1)}]}`
      const json = utf8(`{"inputs":[${input('A')},${input('B')}]}`)
      return decodeInferRequest(json, undefined, model, limits)
    }
    expect(failure(two(62))).toBe('no error')
    expect(failure(two(63))).toContain("JSON input 'B' has a byte_size (1008 bytes)")
  })
})

describe('zero', () => {
  it.each([
    ['{"name":"I","datatype":"FP32","shape":[0],"data":[]}', 0],
    ['{"name":"I","datatype":"FP32","shape":[0,4294967296],"data":[]}', 0],
    ['{"name":"I","datatype":"BYTES","shape":[0],"data":[]}', 0],
    ['{"name":"I","datatype":"BYTES","shape":[1],"data":[""]}', 4],
    ['{"name":"I","datatype":"FP32","shape":[],"data":[1]}', 4],
    ['{"name":"I","datatype":"FP32","shape":[0],"parameters":{"binary_data_size":0}}', 0],
  ])('is a size like any other: %s', (input, bytes) => {
    expect(decode(`{"inputs":[${input}]}`)().inputs[0]?.data).toHaveLength(bytes)
  })

  it('divides nothing in a raw request', () => {
    const zero = fakeModel({ inputs: [{ name: 'I', datatype: 'FP32', shape: [-1, -1, 0] }] })
    expect(failure(() => decodeInferRequest(new Uint8Array(0), 0, zero, LIMITS))).toBe('no error')
    expect(failure(() => decodeInferRequest(new Uint8Array(4), 0, zero, LIMITS))).toContain(
      'Expected 0',
    )
  })
})

describe('names', () => {
  it('that mean something to JavaScript mean nothing here', () => {
    const { parameters } = decode(
      '{"__proto__":{"id":"x"},"inputs":[],"parameters":{"__proto__":"p","constructor":"c","toString":1}}',
    )()
    expect([...(parameters ?? [])]).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'c'],
      ['toString', 1n],
    ])
    expect(decode('{"__proto__":{"id":"x"},"inputs":[]}')().id).toBe('')
    expect(({} as { id?: string }).id).toBeUndefined()
    for (const datatype of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(
        failure(
          decode(`{"inputs":[{"name":"I","datatype":"${datatype}","shape":[1],"data":[1]}]}`),
        ),
      ).toBe('INVALID_ARG: invalid datatype for input I')
    }
  })
})
