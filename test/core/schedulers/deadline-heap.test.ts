import fc from 'fast-check'
import { expect, test } from 'vitest'
import { InferRequest } from '../../../core/infer.ts'
import { DeadlineHeap } from '../../../core/schedulers/deadline-heap.ts'
import { createWaitingPool, type Waiting } from '../../../core/schedulers/waiting.ts'

const SEED = 41

test(`nodes leave in order of their deadlines, whoever left before (seed ${SEED})`, () => {
  const pool = createWaitingPool({ onCancel() {} })
  const arbitrary = fc.array(fc.record({ deadline: fc.nat(50), leaves: fc.boolean() }))
  fc.assert(
    fc.property(arbitrary, (plan) => {
      const heap = new DeadlineHeap()
      const nodes = plan.map(({ deadline }): Waiting => {
        const node = pool.take(new InferRequest({ inputs: [] }, { answer() {} }))
        node.deadlineNs = deadline
        heap.add(node)
        return node
      })
      const stay: number[] = []
      for (const [i, { deadline, leaves }] of plan.entries()) {
        if (leaves) heap.remove(nodes[i]!)
        else stay.push(deadline)
      }
      expect(heap.size).toBe(stay.length)
      const left: number[] = []
      for (let node = heap.peek(); node !== undefined; node = heap.peek()) {
        left.push(node.deadlineNs)
        heap.remove(node)
        heap.remove(node)
      }
      expect(left).toEqual(stay.sort((a, b) => a - b))
    }),
    { seed: SEED },
  )
})
