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

test('batches go ahead only where no instance is idle, and while they are taken', () => {
  const { send, scheduler, instances, ahead, order } = createRig({
    count: 2,
    ahead: 1,
    paused: true,
  })
  for (const lane of ahead) lane.ready = false
  for (const id of ['a', 'b', 'c', 'd', 'e']) send(id)
  expect(instances.map(({ running }) => running)).toEqual([true, true])
  expect(scheduler.pending).toBe(3)

  for (const lane of ahead) lane.ready = true
  instances[0]?.finish()
  expect([...instances, ...ahead].map(({ running }) => running)).toEqual([true, true, true, true])
  expect(scheduler.pending).toBe(0)
  for (const one of [...instances, ...ahead]) one.finish()
  expect(order.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('who cancels what was sent ahead stops nothing else', () => {
  const { send, instances, ahead } = createRig({ ahead: 1, paused: true })
  send('a')
  const { request } = send('b')
  request.cancel()
  expect(instances[0]?.terminated).toBe(0)
  expect(ahead[0]?.terminated).toBe(1)
})

test('a close waits for what was sent ahead', async () => {
  const { send, scheduler, instances, ahead, clock } = createRig({ ahead: 1, paused: true })
  send('a')
  const last = send('b')
  let closed = false
  const closing = scheduler.close().then(() => {
    closed = true
  })
  instances[0]?.finish()
  clock.settle()
  await Promise.resolve()
  expect(closed).toBe(false)
  ahead[0]?.finish()
  await closing
  expect(last.values).toEqual([0])
})

test('what waits for company is not sent ahead, nor are answers that come one by one', () => {
  for (const config of [
    { dynamic_batching: {} },
    { model_transaction_policy: { decoupled: true } },
  ]) {
    const { send, ahead, clock } = createRig({ ahead: 1, paused: true, config })
    for (const id of ['a', 'b', 'c']) send(id)
    clock.settle()
    expect(ahead[0]?.running).toBe(false)
  }
})
