import { expect, test } from 'vitest'
import type { ModelInput } from '../../../core/config/types.ts'
import { InferRequest } from '../../../core/infer.ts'
import { createBatchRule } from '../../../core/schedulers/batch-rule.ts'
import type { Tensor } from '../../../core/tensor.ts'
import { int32 } from './rig.ts'

function together(input: ModelInput[], a: readonly Tensor[], b: readonly Tensor[]): boolean | null {
  const rule = createBatchRule({ max_batch_size: 8, input })
  if (rule === null) return null
  const request = (inputs: readonly Tensor[]): InferRequest =>
    new InferRequest({ inputs }, { answer() {} })
  return rule(request(a), request(b))
}

test('inputs without free dimensions need no look at all', () => {
  expect(createBatchRule({ input: [{ name: 'A', dims: [4] }] })).toBeNull()
})

test('rows do not keep requests apart, other dimensions do', () => {
  const input = [{ name: 'A', dims: [-1] }]
  expect(together(input, [int32('A', [1, 2], [1, 2])], [int32('A', [2, 2], [1, 2, 3, 4])])).toBe(
    true,
  )
  expect(together(input, [int32('A', [1, 2], [1, 2])], [int32('A', [1, 1], [1])])).toBe(false)
})

test('requests with different optional inputs stay apart', () => {
  const input = [
    { name: 'A', dims: [1] },
    { name: 'B', dims: [1], optional: true },
    { name: 'C', dims: [1], optional: true },
  ]
  const [a, b, c] = ['A', 'B', 'C'].map((name) => int32(name, [1, 1], [1])) as [
    Tensor,
    Tensor,
    Tensor,
  ]
  expect(together(input, [a, b], [a, b])).toBe(true)
  expect(together(input, [a, b], [a, c])).toBe(false)
  expect(together(input, [a], [a, b])).toBe(false)
})

test('shape tensors must hold the same values', () => {
  const input = [{ name: 'A', dims: [1], is_shape_tensor: true }]
  expect(together(input, [int32('A', [1], [3])], [int32('A', [1], [3])])).toBe(true)
  expect(together(input, [int32('A', [1], [3])], [int32('A', [1], [4])])).toBe(false)
})
