import { describe, expect, test } from 'vitest'
import type { DynamicBatching, ModelConfig } from '../../../core/config/types.ts'
import { describeScheduler } from '../../contract/scheduler.ts'
import { createRig, type Rig, type RigOptions, US } from './rig.ts'

describeScheduler('the dynamic batcher', { dynamic_batching: {} })
describeScheduler('the dynamic batcher that keeps order', {
  dynamic_batching: { preserve_ordering: true },
})

function rig(batching: DynamicBatching, options: RigOptions = {}): Rig {
  return createRig({ ...options, config: { dynamic_batching: batching, ...options.config } })
}

/** Ids `from` … `to`, sent one after another in one turn. */
function sendMany({ send }: Rig, from: number, to: number, priority = 0): void {
  for (let i = from; i <= to; i++) send(`${i}`, { priority })
}

const QUEUE_OF_2 = { max_queue_size: 2 }

describe('batches', () => {
  test('SCHED-04: requests of one turn of the event loop share a batch without any window', () => {
    const it = rig({})
    const a = it.send('a', { value: 1 })
    const b = it.send('b', { value: 2, rows: 2 })
    expect(it.batches).toEqual([])
    it.clock.turn()
    expect(it.batches).toEqual([['a', 'b']])
    expect([a.values, b.values]).toEqual([[1], [2, 2]])
    expect(it.stats.executionCount).toBe(1)
    expect(it.stats.inferenceCount).toBe(3)
    expect([...it.stats.batches.keys()]).toEqual([3])
  })

  test('SCHED-04: one callback per turn serves all its requests', () => {
    const it = rig({})
    sendMany(it, 1, 6)
    expect(it.clock.turns).toBe(1)
  })

  test('SCHED-04: what waits for a busy instance runs together, up to max_batch_size', () => {
    const it = rig({}, { paused: true })
    it.send('first')
    it.clock.settle()
    sendMany(it, 1, 11)
    it.clock.settle()
    it.instances[0]!.paused = false
    it.instances[0]?.finish()
    expect(it.batches.map((batch) => batch.length)).toEqual([1, 8, 3])
  })

  test('a request that would overfill a batch waits for the next', () => {
    const it = rig({})
    it.send('a', { rows: 5 })
    it.send('b', { rows: 4 })
    it.send('c', { rows: 4 })
    it.clock.settle()
    expect(it.batches).toEqual([['a'], ['b', 'c']])
  })

  test('SCHED-05: a preferred size runs as soon as it is reached, the rest waits for its window', () => {
    const it = rig({ preferred_batch_size: [4], max_queue_delay_microseconds: 1000 })
    sendMany(it, 1, 3)
    it.clock.settle()
    expect(it.batches).toEqual([])
    sendMany(it, 4, 5)
    it.clock.settle()
    expect(it.batches).toEqual([['1', '2', '3', '4']])
    it.clock.advance(1000 * US)
    expect(it.batches[1]).toEqual(['5'])
  })

  test('SCHED-05: the largest preferred size that is full wins, without a window the rest follows at once', () => {
    const it = rig({ preferred_batch_size: [2, 6] })
    sendMany(it, 1, 7)
    it.clock.settle()
    expect(it.batches.map((batch) => batch.length)).toEqual([6, 1])
  })

  test('SCHED-06: the oldest request waits no longer than the window', () => {
    const it = rig({ max_queue_delay_microseconds: 1000 })
    it.send('a')
    it.clock.advance(600 * US)
    it.send('b')
    it.clock.advance(399 * US)
    expect(it.batches).toEqual([])
    it.clock.advance(1 * US)
    expect(it.batches).toEqual([['a', 'b']])
    expect(it.clock.timers).toBe(0)
  })

  test('SCHED-06: a full batch does not wait for its window', () => {
    const it = rig({ max_queue_delay_microseconds: 1000 })
    sendMany(it, 1, 8)
    it.clock.settle()
    expect(it.batches).toHaveLength(1)
  })

  test('SCHED-06: never more than one timer', () => {
    const it = rig({
      max_queue_delay_microseconds: 1000,
      default_queue_policy: { default_timeout_microseconds: 700, allow_timeout_override: true },
    })
    for (let i = 0; i < 7; i++) {
      it.send(`${i}`, { timeoutUs: 600 - i * 50 })
      it.clock.settle()
      expect(it.clock.timers).toBe(1)
      it.clock.advance(1)
    }
  })

  test('sixteen clients in a closed loop fill batches of sixteen in a window of 1 ms', () => {
    const it = rig(
      { max_queue_delay_microseconds: 1000 },
      { config: { max_batch_size: 64 }, durationNs: 50 * US },
    )
    let seed = 7
    const jitter = (): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648
      return (seed % 200) * US
    }
    const client = (): void => {
      it.clock.after(jitter(), () => it.send('x', { onAnswer: client }))
    }
    for (let i = 0; i < 16; i++) client()
    it.clock.advance(1e9)
    const { executionCount, inferenceCount } = it.stats
    expect(inferenceCount / executionCount).toBeGreaterThanOrEqual(15)
  })

  test('SCHED-07: another shape closes the batch', () => {
    const it = rig({ max_queue_delay_microseconds: 1000 })
    it.send('a', { columns: 2 })
    it.send('b', { columns: 2 })
    it.send('c', { columns: 3 })
    it.clock.settle()
    expect(it.batches).toEqual([['a', 'b']])
    it.clock.advance(1000 * US)
    expect(it.batches[1]).toEqual(['c'])
  })

  test('SCHED-07: a ragged input does not keep requests apart', () => {
    const input = [{ name: 'INPUT0', dims: [-1], allow_ragged_batch: true }]
    const it = rig({}, { config: { input }, paused: true })
    it.send('a', { columns: 2 })
    it.send('b', { columns: 3 })
    it.clock.settle()
    expect(it.batches).toEqual([['a', 'b']])
  })

  test('SCHED-08: each response has only the outputs its request asked for, in the order of the model', () => {
    const two: ModelConfig = {
      output: [
        { name: 'OUTPUT0', dims: [-1] },
        { name: 'OUTPUT1', dims: [-1] },
      ],
    }
    const it = rig(
      {},
      {
        config: two,
        compute: (batch) => ({
          outputs: ['OUTPUT1', 'OUTPUT0'].map((name) => ({
            name,
            datatype: 'INT8' as const,
            shape: [batch.size, 1],
            data: new Uint8Array(batch.size),
          })),
        }),
      },
    )
    const sent = [
      it.send('a', { outputs: ['OUTPUT1'] }),
      it.send('b', { outputs: ['OUTPUT1', 'OUTPUT0'] }),
      it.send('c'),
    ]
    it.clock.settle()
    expect(it.batches).toEqual([['a', 'b', 'c']])
    expect(sent.map((one) => one.response().outputs.map((output) => output.name))).toEqual([
      ['OUTPUT1'],
      ['OUTPUT0', 'OUTPUT1'],
      ['OUTPUT0', 'OUTPUT1'],
    ])
  })

  test('a model without batching runs its requests one by one', () => {
    const it = rig({}, { config: { max_batch_size: 0 } })
    sendMany(it, 1, 3)
    it.clock.settle()
    expect(it.batches).toEqual([['1'], ['2'], ['3']])
    expect([...it.stats.batches.keys()]).toEqual([1])
  })
})

describe('order', () => {
  test('SCHED-09: answers leave in arrival order although a later batch is done first', () => {
    const it = rig(
      { preserve_ordering: true },
      { count: 2, paused: true, config: { max_batch_size: 2 } },
    )
    sendMany(it, 1, 4)
    it.clock.settle()
    const first = it.instances.find((instance) => instance.current[0]?.id === '1')
    const second = it.instances.find((instance) => instance.current[0]?.id === '3')
    second?.finish()
    expect(it.order).toEqual([])
    first?.finish()
    expect(it.order).toEqual(['1', '2', '3', '4'])
  })

  test('SCHED-10, 11: level 1 runs before the rest; 0 and levels that do not exist are the default', () => {
    const it = rig({ priority_levels: 3, default_priority_level: 2 }, { paused: true })
    it.send('busy', { rows: 8 })
    it.clock.settle()
    it.send('low', { priority: 3, rows: 8 })
    it.send('default', { rows: 4 })
    it.send('beyond', { priority: 9, rows: 4 })
    it.send('high', { priority: 1, rows: 8 })
    it.instances[0]!.paused = false
    it.instances[0]?.finish()
    expect(it.batches).toEqual([['busy'], ['high'], ['default', 'beyond'], ['low']])
  })

  test('a batch takes requests of several levels, the first level first', () => {
    const it = rig({ priority_levels: 2, default_priority_level: 2 })
    it.send('b', { priority: 2 })
    it.send('a', { priority: 1 })
    it.clock.settle()
    expect(it.batches).toEqual([['a', 'b']])
  })

  test('a config with a billion levels costs nothing until they are used, and forgets them again', () => {
    const it = rig({ priority_levels: 1_000_000_000, default_priority_level: 1 })
    for (let i = 0; i < 300; i++) it.send(`${i}`, { priority: 1_000_000 - i })
    it.clock.settle()
    expect(it.batches[0]?.[0]).toBe('299')
    expect(it.order).toHaveLength(300)
  })
})

describe('queue policy', () => {
  test('SCHED-12: a request beyond max_queue_size is refused with 503 and counted as REJECTED', () => {
    const it = rig({ default_queue_policy: QUEUE_OF_2 }, { paused: true })
    it.send('busy')
    it.clock.settle()
    sendMany(it, 1, 2)
    const refused = it.send('3')
    expect(refused.error).toBe('UNAVAILABLE [request id: 3] Exceeds maximum queue size')
    expect(it.stats.failures.REJECTED).toBe(1)
    expect(it.scheduler.pending).toBe(2)
  })

  test('SCHED-12: a free instance is used before anybody is refused', () => {
    const it = rig({ default_queue_policy: QUEUE_OF_2 })
    sendMany(it, 1, 5)
    it.clock.settle()
    expect(it.stats.failures.REJECTED).toBe(0)
    expect(it.order).toHaveLength(5)
  })

  test('SCHED-12: a cancelled request makes room in the queue', () => {
    const it = rig({ default_queue_policy: QUEUE_OF_2 }, { paused: true })
    it.send('busy')
    it.clock.settle()
    const leaving = it.send('a')
    it.send('b')
    leaving.request.cancel()
    expect(it.send('c').error).toBe('')
  })

  const timeout = { default_timeout_microseconds: 100 }

  test('SCHED-13: REJECT answers an expired request with Triton’s text', () => {
    const it = rig({ default_queue_policy: timeout }, { paused: true })
    it.send('busy')
    it.clock.settle()
    const late = it.send('late')
    it.clock.advance(101 * US)
    expect(late.error).toBe('UNAVAILABLE Request timeout expired')
    expect(it.stats.failures.REJECTED).toBe(1)
    expect(it.batches).toEqual([['busy']])
  })

  test('SCHED-13: DELAY lets requests in time pass the expired, which still run', () => {
    const policy = { ...timeout, timeout_action: 'DELAY' as const }
    const it = rig({ default_queue_policy: policy }, { paused: true })
    it.send('busy', { rows: 8 })
    it.clock.settle()
    it.send('expired', { rows: 8 })
    it.clock.advance(150 * US)
    it.send('in time', { rows: 8 })
    it.instances[0]!.paused = false
    it.instances[0]?.finish()
    expect(it.batches).toEqual([['busy'], ['in time'], ['expired']])
  })

  test('SCHED-14: a request may shorten the timeout and never lengthen it', () => {
    const policy = { ...timeout, allow_timeout_override: true }
    const it = rig({ default_queue_policy: policy }, { paused: true })
    it.send('busy')
    it.clock.settle()
    const shorter = it.send('shorter', { timeoutUs: 20 })
    const longer = it.send('longer', { timeoutUs: 5000 })
    it.clock.advance(21 * US)
    expect([shorter.answers.length, longer.answers.length]).toEqual([1, 0])
    it.clock.advance(80 * US)
    expect(longer.error).toBe('UNAVAILABLE Request timeout expired')
  })

  test('SCHED-14: without allow_timeout_override a request’s timeout means nothing', () => {
    const it = rig({ default_queue_policy: timeout }, { paused: true })
    it.send('busy')
    it.clock.settle()
    const sent = it.send('a', { timeoutUs: 20 })
    it.clock.advance(100 * US)
    expect(sent.answers).toEqual([])
  })

  test('SCHED-15: a level’s own policy replaces the default one', () => {
    const it = rig(
      {
        priority_levels: 2,
        default_priority_level: 2,
        default_queue_policy: QUEUE_OF_2,
        priority_queue_policy: { '1': { max_queue_size: 1, ...timeout } },
      },
      { paused: true },
    )
    it.send('busy')
    it.clock.settle()
    const first = it.send('a', { priority: 1 })
    expect(it.send('b', { priority: 1 }).error).toMatch(/Exceeds maximum queue size/)
    sendMany(it, 1, 2)
    expect(it.send('3').error).toMatch(/Exceeds maximum queue size/)
    it.clock.advance(101 * US)
    expect(first.error).toMatch(/timeout expired/)
    expect(it.scheduler.pending).toBe(2)
  })

  test('SCHED-16: an expired request is answered although nothing runs and its window is open', () => {
    const it = rig({ max_queue_delay_microseconds: 10_000, default_queue_policy: timeout })
    const sent = it.send('a')
    it.clock.advance(101 * US)
    expect(sent.error).toBe('UNAVAILABLE Request timeout expired')
    expect(it.batches).toEqual([])
    expect(it.clock.timers).toBe(0)
  })
})

describe('cancellation', () => {
  test('SCHED-19: the others of a batch keep their window when its oldest leaves', () => {
    const it = rig({ max_queue_delay_microseconds: 1000 })
    const oldest = it.send('a')
    it.clock.advance(500 * US)
    it.send('b')
    oldest.request.cancel()
    expect(oldest.error).toMatch(/^CANCELLED /)
    it.clock.advance(999 * US)
    expect(it.batches).toEqual([])
    it.clock.advance(1 * US)
    expect(it.batches).toEqual([['b']])
  })

  test('a running batch is stopped only when all its requests are cancelled', () => {
    const it = rig({}, { paused: true })
    const a = it.send('a')
    const b = it.send('b', { value: 4 })
    it.clock.settle()
    a.request.cancel()
    a.request.cancel()
    expect(it.instances[0]?.terminated).toBe(0)
    b.request.cancel()
    expect(it.instances[0]?.terminated).toBe(1)
  })
})

describe('draining', () => {
  test('SCHED-18: nothing runs until the wanted number of requests waits, once', () => {
    const it = rig({}, { delayUntilQueued: 4 })
    sendMany(it, 1, 3)
    it.clock.advance(1e9)
    expect(it.batches).toEqual([])
    it.send('4')
    it.clock.settle()
    it.send('5')
    it.clock.settle()
    expect(it.batches).toEqual([['1', '2', '3', '4'], ['5']])
  })

  test('closing runs what waits at once, however long its window', async () => {
    const it = rig({ max_queue_delay_microseconds: 1e9 }, { delayUntilQueued: 5 })
    sendMany(it, 1, 2)
    await it.scheduler.close()
    expect(it.order).toEqual(['1', '2'])
    expect(it.clock.timers).toBe(0)
  })
})
