import { expect, test } from 'vitest'
import type { Batch } from '../../../core/backend/types.ts'
import { InferRequest } from '../../../core/infer.ts'
import { gatherInput, joinedShape } from '../../../core/schedulers/batch.ts'
import { int32 } from './rig.ts'

function batchOf(...rows: readonly (readonly number[])[]): Batch {
  const requests = rows.map((values) => {
    const request = new InferRequest(
      { inputs: [int32('INPUT0', [values.length, 1], values)] },
      { answer() {} },
    )
    request.batchSize = values.length
    return request
  })
  return { requests, size: rows.flat().length }
}

const numbers = (data: Uint8Array): number[] => [...new Int32Array(data.slice().buffer)]

test('a request alone in its batch is passed as its own view', () => {
  const batch = batchOf([1, 2])
  expect(gatherInput(batch, 0)).toBe(batch.requests[0]?.inputs[0]?.data)
  expect(joinedShape(batch, 0)).toEqual([2, 1])
})

test('rows are joined in request order', () => {
  const batch = batchOf([1, 2], [3], [4, 5, 6])
  expect(numbers(gatherInput(batch, 0))).toEqual([1, 2, 3, 4, 5, 6])
  expect(joinedShape(batch, 0)).toEqual([6, 1])
})

test('rows are copied into a given buffer, and only the part that was filled comes back', () => {
  const target = new Uint8Array(64).fill(9)
  const joined = gatherInput(batchOf([1], [2]), 0, target)
  expect(joined.buffer).toBe(target.buffer)
  expect(numbers(joined)).toEqual([1, 2])
  expect(target[8]).toBe(9)
})

test('a buffer that is too small is an error, not a cut tensor', () => {
  expect(() => gatherInput(batchOf([1], [2]), 0, new Uint8Array(7))).toThrow(/needs 8 bytes/)
})

test('an input that a request does not have is an error', () => {
  expect(() => gatherInput(batchOf([1]), 1)).toThrow(/no input number 1/)
})
