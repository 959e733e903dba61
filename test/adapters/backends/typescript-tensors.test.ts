import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReceivedTensor, toTensor } from '../../../adapters/backends/typescript-tensors.ts'
import { packAligned, packJoined, tensorOf } from '../../../adapters/backends/typescript-wire.ts'
import type { TensorData } from '../../../core/model-api/types.ts'
import { DATATYPE_SIZES, type Datatype, type Tensor } from '../../../core/tensor.ts'
import { patternBytes } from '../../contract/backend.ts'

const DATATYPES = Object.keys(DATATYPE_SIZES) as Datatype[]

const made = (data: TensorData, datatype?: Datatype, count = data as { length?: number }) =>
  toTensor('Y', { shape: [count.length ?? 0], data }, datatype)

describe('a tensor that a model gives', () => {
  test.each([
    [new Float32Array([1.5]), 'FP32'],
    [new Float64Array([1.5]), 'FP64'],
    [new Int8Array([-1]), 'INT8'],
    [new BigInt64Array([-1n]), 'INT64'],
    [new Uint16Array([7]), 'UINT16'],
  ] as const)('is what its typed array is for: %o', (data, datatype) => {
    expect(made(data)).toMatchObject({ datatype, shape: [1] })
  })

  test('goes as it lies in memory, and is not copied', () => {
    const data = new Float32Array([1, 2, 3, 4]).subarray(1, 3)
    const tensor = made(data)
    expect(tensor.data.buffer).toBe(data.buffer)
    expect([...new Float32Array(tensor.data.slice().buffer)]).toEqual([2, 3])
  })

  test('may be plain numbers, texts and truth values of the datatype that the config has', () => {
    expect([...made([1, -1], 'INT64').data]).toEqual([
      1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,
    ])
    expect([...made([true, false], 'BOOL').data]).toEqual([1, 0])
    expect([...made(['é', new Uint8Array([0])], 'BYTES').data]).toEqual([
      2, 0, 0, 0, 0xc3, 0xa9, 1, 0, 0, 0, 0,
    ])
  })

  test.each<[string, () => unknown, RegExp]>([
    ['another kind of numbers', () => made(new Float64Array(1), 'FP32'), /FP32.*Float64Array/],
    ['texts for numbers', () => made(['1'], 'INT32'), /holds a string, INT32 needs numbers/],
    ['numbers for texts', () => made([1], 'BYTES'), /holds a number, BYTES are strings/],
    ['no datatype', () => made([1]), /needs a datatype/],
    ['too few', () => toTensor('Y', { shape: [3], data: [1] }, 'INT8'), /1 bytes, expected 3/],
    ['too many texts', () => toTensor('Y', { shape: [1], data: ['a', 'b'] }, 'BYTES'), /2 elem/],
    ['a broken shape', () => toTensor('Y', { shape: [-1], data: [1] }, 'INT8'), /invalid dim/],
    ['nothing', () => toTensor('Y', {} as never, 'INT8'), /needs a shape and data/],
  ])('is refused with %s', (_what, make, message) => {
    expect(make).toThrow(message)
  })
})

describe('tensors between threads', () => {
  const tensors = fc.array(
    fc.record({ datatype: fc.constantFrom(...DATATYPES), count: fc.nat(5) }),
    { maxLength: 4 },
  )
  const groupsOf = fc.array(tensors, { maxLength: 4 })
  const seed = Date.now() & 0x7fff_ffff

  test.each([
    ['aligned', packAligned],
    ['joined', packJoined],
  ])(`any of them arrive (${seed}) %s`, (_how, pack) => {
    fc.assert(
      fc.property(groupsOf, (specs) => {
        const groups = specs.map((group) =>
          group.map(({ datatype, count }, i): Tensor => {
            const data = patternBytes(datatype, [count])
            return { name: `T${i}`, datatype, shape: [count], data }
          }),
        )
        const { groups: wire, buffer } = pack(groups)
        const arrived = wire.map((group) => group.map((one) => tensorOf(one, buffer)))
        expect(arrived).toEqual(groups)
        for (const tensor of arrived.flat()) {
          const { data, bytes } = new ReceivedTensor(tensor)
          if (tensor.datatype === 'BYTES') expect(data).toHaveLength(tensor.shape[0] as number)
          else
            expect(
              toTensor(tensor.name, { shape: tensor.shape, data }, tensor.datatype).data,
            ).toEqual(bytes)
        }
      }),
      { numRuns: 100, seed },
    )
  })
})
