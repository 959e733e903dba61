import { expect, it } from 'vitest'
import { InferRequest } from '../../../core/infer.ts'
import { Sequence } from '../../../core/schedulers/sequence.ts'
import { createWaitingPool } from '../../../core/schedulers/waiting.ts'

function ids(sequence: Sequence): string[] {
  const found: string[] = []
  for (let at = sequence.head; at !== null; at = at.next) found.push(at.request?.id ?? '')
  return found
}

it('a request that runs again stands before those that wait, any of which may still leave', () => {
  const pool = createWaitingPool({ onCancel() {} })
  const waiting = (id: string) => pool.take(new InferRequest({ id, inputs: [] }, { answer() {} }))
  const sequence = new Sequence(1n, null)
  const [first, second] = [waiting('a'), waiting('b')]
  sequence.push(first)
  sequence.push(second)
  sequence.unshift(waiting('again'))
  expect(ids(sequence)).toEqual(['again', 'a', 'b'])
  sequence.remove(first)
  expect(ids(sequence)).toEqual(['again', 'b'])
  sequence.remove(second)
  expect(sequence.tail).toBe(sequence.head)
  expect(sequence.size).toBe(1)
})

it('an empty line begins with the request that runs again', () => {
  const pool = createWaitingPool({ onCancel() {} })
  const sequence = new Sequence('x', null)
  const only = pool.take(new InferRequest({ id: 'only', inputs: [] }, { answer() {} }))
  sequence.unshift(only)
  expect(sequence.tail).toBe(only)
  sequence.remove(only)
  expect([sequence.head, sequence.tail, sequence.size]).toEqual([null, null, 0])
})
