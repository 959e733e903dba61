import { describe, expect, it } from 'vitest'
import { packBytes } from '../../../core/bytes.ts'
import type { Datatype, Tensor } from '../../../core/tensor.ts'
import { compareOutputs } from '../../../core/traffic/compare-outputs.ts'

function tensor(datatype: Datatype, values: ArrayBufferView, name = 'OUT'): Tensor {
  const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return { name, datatype, shape: [data.length], data }
}

describe('two answers', () => {
  it('are as far apart as their numbers are at most', () => {
    const ours = [tensor('FP32', Float32Array.of(1, 2, 3)), tensor('INT32', Int32Array.of(5), 'N')]
    const theirs = [
      tensor('INT32', Int32Array.of(7), 'N'),
      tensor('FP32', Float32Array.of(1, 2.5, 3)),
    ]
    const { equal, difference, byOutput } = compareOutputs(ours, theirs)
    expect(equal).toBe(false)
    expect(difference).toBe(2)
    expect([...byOutput]).toEqual([
      ['OUT', 0.5],
      ['N', 2],
    ])
  })

  it('are equal where both hold the same NaN or infinity, and infinitely apart where one does', () => {
    const odd = [tensor('FP64', Float64Array.of(Number.NaN, Number.POSITIVE_INFINITY))]
    expect(compareOutputs(odd, odd)).toMatchObject({ equal: true, difference: 0 })
    const plain = [tensor('FP64', Float64Array.of(1, Number.POSITIVE_INFINITY))]
    expect(compareOutputs(odd, plain)).toMatchObject({ equal: false, difference: Infinity })
  })

  it.each([
    ['FP16', [0x3c00, 0x3e00], 0.5],
    ['FP16', [0x0001, 0x0000], 2 ** -24],
    ['FP16', [0xbc00, 0x3c00], 2],
    ['BF16', [0x3f80, 0x3fc0], 0.5],
    ['BF16', [0x7f80, 0x3f80], Number.POSITIVE_INFINITY],
  ] as const)('of %s are read as what their bits mean', (datatype, [one, other], apart) => {
    const a = [tensor(datatype, Uint16Array.of(one))]
    const b = [tensor(datatype, Uint16Array.of(other))]
    expect(compareOutputs(a, b).difference).toBe(apart)
  })

  it('differ in 64-bit integers that a double takes for the same', () => {
    const a = [tensor('INT64', BigInt64Array.of(2n ** 60n))]
    const b = [tensor('INT64', BigInt64Array.of(2n ** 60n + 1n))]
    expect(compareOutputs(a, b).equal).toBe(false)
  })

  it('without numbers are equal or not', () => {
    const text = (value: string): Tensor[] => [
      tensor('BYTES', packBytes([new TextEncoder().encode(value)])),
    ]
    expect(compareOutputs(text('cat'), text('cat'))).toMatchObject({ equal: true })
    expect(compareOutputs(text('cat'), text('dog'))).toMatchObject({
      equal: false,
      difference: Number.NaN,
    })
  })

  it('of other shapes, datatypes or names are unequal', () => {
    const one = [tensor('INT32', Int32Array.of(1, 2))]
    expect(compareOutputs(one, [tensor('INT32', Int32Array.of(1))]).equal).toBe(false)
    expect(compareOutputs(one, [tensor('UINT32', Int32Array.of(1, 2))]).equal).toBe(false)
    expect(compareOutputs(one, [tensor('INT32', Int32Array.of(1, 2), 'X')]).equal).toBe(false)
    expect(compareOutputs(one, []).equal).toBe(false)
  })
})
