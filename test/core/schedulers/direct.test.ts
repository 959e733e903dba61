import { expect, test } from 'vitest'
import { describeScheduler } from '../../contract/scheduler.ts'
import { createRig } from './rig.ts'

describeScheduler('the direct scheduler', {})

test('SCHED-01: without a scheduling field every request runs alone, in order', () => {
  const { send, clock, batches, stats, instances } = createRig({ paused: true })
  for (const id of ['a', 'b', 'c']) send(id)
  for (let i = 0; i < 3; i++) {
    instances[0]?.finish()
    clock.settle()
  }
  expect(batches).toEqual([['a'], ['b'], ['c']])
  expect(stats.executionCount).toBe(3)
})

test('SCHED-02: as many executions run at a time as there are instances', () => {
  const { send, scheduler, instances } = createRig({ count: 3, paused: true })
  for (const id of ['a', 'b', 'c', 'd']) send(id)
  expect(instances.filter((instance) => instance.running)).toHaveLength(3)
  expect(scheduler.pending).toBe(1)
})

test('SCHED-03: a client-side batch runs once', () => {
  const { send, batches, stats } = createRig()
  send('a', { rows: 5 })
  expect(batches).toHaveLength(1)
  expect([...stats.batches.keys()]).toEqual([5])
})

test('an idle instance that runs inline answers before submit returns', () => {
  const { send } = createRig()
  expect(send('a', { value: 3 }).values).toEqual([3])
})

test('an inline instance lets the event loop turn while a long queue drains', () => {
  const { send, clock, instances, order } = createRig({ paused: true })
  for (let i = 0; i < 200; i++) send(`${i}`)
  instances[0]!.paused = false
  instances[0]?.finish()
  expect(order.length).toBeLessThan(100)
  clock.settle()
  expect(order).toHaveLength(200)
})
