import { expect, test } from 'vitest'
import type { Batch } from '../../../core/backend/types.ts'
import { createRig } from './rig.ts'

test('an instance that is done early may still read its batch until execute returns', () => {
  const { send, instances } = createRig()
  const instance = instances[0]!
  const { execute } = instance
  let left: readonly number[] = []
  instance.execute = (batch, marks, done) => {
    execute.call(instance, batch, marks, done)
    left = [batch.requests.length, batch.size]
  }
  const sent = send('a', { rows: 3 })
  expect(left).toEqual([1, 3])
  expect(sent.answers).toHaveLength(1)
})

test('a second done of the same execution is ignored', () => {
  const { send, instances, stats } = createRig()
  const instance = instances[0]!
  const { execute } = instance
  instance.execute = (batch, marks, done) => {
    execute.call(instance, batch, marks, (result) => {
      done(result)
      done(result)
    })
  }
  expect(send('a').answers).toHaveLength(1)
  expect(stats.executionCount).toBe(1)
})

test('an idle instance keeps no request, and with it no client’s bytes, alive', () => {
  const { send, instances } = createRig()
  const instance = instances[0]!
  const { execute } = instance
  let seen: Batch | undefined
  instance.execute = (batch, marks, done) => {
    seen = batch
    execute.call(instance, batch, marks, done)
  }
  send('a')
  expect(seen?.requests).toEqual([])
})

test('cancellations of one batch do not stop the next', () => {
  const { send, clock, instances } = createRig({
    config: { dynamic_batching: {} },
    paused: true,
  })
  const first = [send('a'), send('b')]
  clock.settle()
  first[0]?.request.cancel()
  instances[0]?.finish()
  const second = [send('c'), send('d')]
  clock.settle()
  second[0]?.request.cancel()
  expect(instances[0]?.terminated).toBe(0)
})

test('marks divide an execution into input, inference and output', () => {
  const { send, clock, instances, stats } = createRig()
  const instance = instances[0]!
  const { execute } = instance
  instance.execute = (batch, marks, done) => {
    clock.advance(10)
    marks.inputEndNs = clock.now()
    clock.advance(200)
    marks.outputStartNs = clock.now()
    clock.advance(3)
    execute.call(instance, batch, marks, done)
  }
  send('a')
  expect([stats.computeInput.ns, stats.computeInfer.ns, stats.computeOutput.ns]).toEqual([
    10, 200, 3,
  ])
})
