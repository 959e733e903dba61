import { expect, test } from 'vitest'
import { packBytes } from '../../../core/bytes.ts'
import { generalNumber } from '../../../core/trace/general-number.ts'
import { MAX_TRACED_ELEMENTS, tensorText } from '../../../core/trace/tensor-text.ts'

// The right column is what `std::cout << x` of GNU C++ prints.
test.each([
  [0, '0'],
  [-0, '-0'],
  [1, '1'],
  [-2.5, '-2.5'],
  [0.1, '0.1'],
  [100000, '100000'],
  [1000000, '1e+06'],
  [999999.5, '1e+06'],
  [999999, '999999'],
  [999998.7, '999999'],
  [0.00009999999, '0.0001'],
  [0.000099, '9.9e-05'],
  [-12.0625, '-12.0625'],
  [1234567, '1.23457e+06'],
  [1e-7, '1e-07'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [123.456789, '123.457'],
  [1e100, '1e+100'],
  [1.5e300, '1.5e+300'],
  [Number.POSITIVE_INFINITY, 'inf'],
  [Number.NEGATIVE_INFINITY, '-inf'],
  [Number.NaN, 'nan'],
])('%d is written as %s', (value, text) => {
  expect(generalNumber(value)).toBe(text)
})

const bytes = (data: ArrayBufferView): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

test('elements are written by their type', () => {
  const text = (datatype: Parameters<typeof tensorText>[0]['datatype'], data: ArrayBufferView) =>
    tensorText({ datatype, data: bytes(data) })
  expect(text('INT8', new Int8Array([-1, 2]))).toBe('-1,2')
  expect(text('UINT8', new Uint8Array([65, 255]))).toBe('65,255')
  expect(text('INT64', new BigInt64Array([-(2n ** 63n)]))).toBe('-9223372036854775808')
  expect(text('BOOL', new Uint8Array([0, 1]))).toBe('0,1')
  expect(text('FP32', new Float32Array([0.1, 1e10]))).toBe('0.1,1e+10')
  expect(text('FP16', new Uint16Array([1]))).toBe('')
  const strings = packBytes(['a', '"', 'ä'].map((one) => new TextEncoder().encode(one)))
  expect(tensorText({ datatype: 'BYTES', data: strings })).toBe('"a",""","ä"')
})

test('a very large tensor is cut off', () => {
  const text = tensorText({ datatype: 'UINT8', data: new Uint8Array(10 * MAX_TRACED_ELEMENTS) })
  expect(text.split(',')).toHaveLength(MAX_TRACED_ELEMENTS)
})
