import { expect, test } from 'vitest'
import { MAX_HELD_ANSWERS } from '../../../core/schedulers/ordered-answers.ts'
import { FirstResponseHistogram, MAX_RESPONSE_STATS, ModelStats } from '../../../core/stats.ts'
import { describeDecoupled, seen, value } from '../../contract/decoupled.ts'
import { createRig, IDENTITY, int32 } from './rig.ts'

const decoupled = { model_transaction_policy: { decoupled: true } }

describeDecoupled('the direct scheduler', {})
describeDecoupled('the dynamic batcher', { dynamic_batching: {} })
describeDecoupled('the dynamic batcher in order', {
  dynamic_batching: { preserve_ordering: true },
})

function batchOfTwo(ordered: boolean) {
  const rig = createRig({
    paused: true,
    config: { ...decoupled, dynamic_batching: { preserve_ordering: ordered } },
  })
  const sent = [rig.send('a'), rig.send('b')] as const
  rig.clock.settle()
  const instance = rig.instances[0]!
  return { ...rig, stats: rig.stats, sent, instance, answers: instance.batches[0]!.answers! }
}

test('requests of one batch are answered in any order', () => {
  const { sent, answers, instance, order } = batchOfTwo(false)
  answers.send(1, value(10), false)
  answers.send(0, value(1), false)
  answers.send(1, value(11), true)
  instance.finish()
  answers.send(0, value(2), true)
  expect(sent.map(seen)).toEqual([
    [1, 2],
    [10, 11],
  ])
  expect(order).toEqual(['b', 'a'])
})

test('with preserve_ordering a request gets nothing before the one ahead of it had its last answer', () => {
  const { sent, answers, instance, order } = batchOfTwo(true)
  answers.send(1, value(10), false)
  answers.send(0, value(1), false)
  expect(sent.map(seen)).toEqual([[1], []])
  instance.finish()
  answers.send(0, null, true)
  expect(sent.map(seen)).toEqual([[1, null], [10]])
  answers.send(1, value(11), false)
  answers.send(1, null, true)
  expect(sent.map(seen)).toEqual([
    [1, null],
    [10, 11, null],
  ])
  expect(order).toEqual(['a', 'b'])
})

test('a request whose answers are kept back for their order asks its model to wait', () => {
  const { sent, answers } = batchOfTwo(true)
  let woken = 0
  for (let i = 0; i < MAX_HELD_ANSWERS; i++) {
    expect(sent[1].request.congested).toBe(false)
    answers.send(1, value(i), false)
  }
  expect(sent[1].request.congested).toBe(true)
  sent[1].request.onWritable = () => woken++
  answers.send(0, null, true)
  expect(sent[1].answers).toHaveLength(MAX_HELD_ANSWERS)
  expect([sent[1].request.congested, woken]).toEqual([false, 1])
})

test('an instance that cannot end one request is stopped when nobody is left', () => {
  const { sent, instance } = batchOfTwo(false)
  sent[0].request.cancel()
  expect(instance.terminated).toBe(0)
  sent[1].request.cancel()
  expect(instance.terminated).toBe(1)
})

test('an instance is not stopped while an earlier batch still gets answers', () => {
  const { send, clock, sent, instance } = batchOfTwo(false)
  instance.finish()
  const later = send('c')
  clock.settle()
  later.request.cancel()
  expect(instance.terminated).toBe(0)
  for (const { request } of sent) request.cancel()
  expect(instance.terminated).toBe(1)
})

test('a request gets the outputs it asked for, in the order of the model and the shapes of the config', () => {
  const rig = createRig({
    paused: true,
    config: {
      ...decoupled,
      max_batch_size: 8,
      output: [
        { name: 'OUTPUT1', data_type: 'TYPE_INT32', dims: [1] },
        { name: 'OUTPUT0', data_type: 'TYPE_INT32', dims: [1, 2], reshape: { shape: [2] } },
      ],
    },
  })
  const all = rig.send('a')
  const some = rig.send('b', { outputs: ['OUTPUT0'] })
  rig.clock.settle()
  const instance = rig.instances[0]!
  const response = {
    outputs: [
      int32('EXTRA', [1], [0]),
      int32('OUTPUT1', [1, 1], [3]),
      int32('OUTPUT0', [1, 2], [1, 2]),
    ],
  }
  instance.batches[0]!.answers!.send(0, response, true)
  instance.finish()
  instance.batches[1]!.answers!.send(0, response, true)
  instance.finish()
  const shapes = (sent: typeof all) =>
    sent.response().outputs.map(({ name, shape }) => [name, [...shape]])
  expect(shapes(all)).toEqual([
    ['OUTPUT1', [1, 1]],
    ['OUTPUT0', [1, 1, 2]],
  ])
  expect(shapes(some)).toEqual([['OUTPUT0', [1, 1, 2]]])
})

test('the first response is timed once for each request', () => {
  const rig = createRig({ paused: true, config: { ...IDENTITY, ...decoupled } })
  rig.stats.firstResponse = new FirstResponseHistogram()
  rig.send('a')
  rig.clock.advance(150e6)
  const answers = rig.instances[0]!.batches[0]!.answers!
  answers.send(0, value(1), false)
  rig.clock.advance(10_000e6)
  answers.send(0, value(1), true)
  expect([...rig.stats.firstResponse.counts]).toEqual([0, 1, 0, 0, 0])
  expect(rig.stats.firstResponse).toMatchObject({ count: 1, sumMs: 150 })
})

test('statistics are kept for a bounded number of places', () => {
  const stats = new ModelStats()
  for (let i = 0; i < MAX_RESPONSE_STATS + 10; i++) stats.recordResponse(i, 'success', 1, 1)
  expect(stats.responses).toHaveLength(MAX_RESPONSE_STATS)
  expect(stats.responses.at(-1)?.success).toMatchObject({ count: 11, ns: 22 })
})

test('a cancelled response counts as nothing else', () => {
  const stats = new ModelStats()
  stats.recordResponse(0, 'cancel', 5, 0)
  expect(stats.responses[0]).toMatchObject({
    cancel: { count: 1, ns: 5 },
    computeInfer: { count: 0 },
    fail: { count: 0 },
  })
})
