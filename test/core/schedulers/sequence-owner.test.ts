import { expect, test } from 'vitest'
import { forwardHeaders } from '../../../core/access/forward-headers.ts'
import { tailorRequest } from '../../../core/access/tailor-request.ts'
import { ANYBODY, type Principal } from '../../../core/access/types.ts'
import { InferRequest } from '../../../core/infer.ts'
import { sequenceKey } from '../../../core/schedulers/sequence-id.ts'

const sink = { answer: () => {} }
const of = (sequenceId: bigint | string, owner: string) =>
  sequenceKey(new InferRequest({ inputs: [], sequenceId, owner }, sink))

test('the same id of two owners is two sequences, and of one owner one', () => {
  expect(of(7n, 'a')).toBe(of(7n, 'a'))
  const all = [of(7n, ''), of(7n, 'a'), of(7n, 'b'), of('7', 'a'), of('7', ''), of('a', 'b')]
  expect(new Set(all).size).toBe(all.length)
})

test('an id cannot be written so that it falls into the sequences of another', () => {
  expect(of('x\0string\0y', 'a')).not.toBe(of('y', 'a\0string\0x'.slice(0, 1)))
  expect(of('\0b\0string\0y', 'a')).not.toBe(of('y', 'b'))
})

test('a request gets the name, the headers and the bounds of who sends it', () => {
  const request = new InferRequest({ inputs: [], priority: 1 }, sink)
  const principal: Principal = { ...ANYBODY, id: 'a', priorityFloor: 3 }
  tailorRequest(request, principal, forwardHeaders('x')?.(['x-a', '1']) ?? null)
  expect(request).toMatchObject({ owner: 'a', priority: 3, parameters: new Map([['x-a', '1']]) })
  const lower = new InferRequest({ inputs: [], priority: 5 }, sink)
  tailorRequest(lower, principal, null)
  expect(lower).toMatchObject({ priority: 5, parameters: null })
})
