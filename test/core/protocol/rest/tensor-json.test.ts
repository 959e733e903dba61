import { expect, test } from 'vitest'
import { JsonWriter } from '../../../../core/protocol/rest/json-writer.ts'
import { writeTensorData } from '../../../../core/protocol/rest/tensor-json.ts'

test('numbers are read from wherever their bytes lie, also in buffers of Node, whose slices are views', () => {
  const numbers = new Uint8Array(new Float32Array([1.5, -2]).buffer)
  for (const make of [
    (bytes: number) => new Uint8Array(bytes),
    (bytes: number) => Buffer.alloc(bytes),
  ]) {
    for (let offset = 0; offset < 9; offset++) {
      const data = make(offset + 8).subarray(offset)
      data.set(numbers)
      const writer = new JsonWriter()
      writeTensorData(writer, { name: 'x', datatype: 'FP32', shape: [2], data })
      expect(new TextDecoder().decode(writer.finish())).toBe('[1.5,-2.0]')
    }
  }
})
