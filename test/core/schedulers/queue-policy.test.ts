import { describe, expect, test } from 'vitest'
import type { DynamicBatching } from '../../../core/config/types.ts'
import { createRig, type Rig, type RigOptions, US } from './rig.ts'

const QUEUE_OF_2 = { max_queue_size: 2 }

function rig(batching: DynamicBatching, options: RigOptions = {}): Rig {
  return createRig({ ...options, config: { dynamic_batching: batching, ...options.config } })
}

/** Ids `from` … `to`, sent one after another in one turn. */
function sendMany({ send }: Rig, from: number, to: number, priority = 0): void {
  for (let i = from; i <= to; i++) send(`${i}`, { priority })
}

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

  test('SCHED-13: a request whose time is just up may still run', () => {
    const it = rig({ default_queue_policy: timeout }, { paused: true })
    it.send('busy')
    it.clock.settle()
    it.send('a')
    it.clock.advance(100 * US)
    it.instances[0]?.finish()
    expect(it.batches[1]).toEqual(['a'])
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

  test('closing ends without a timer when the last to wait is cancelled', async () => {
    const it = rig(
      { default_queue_policy: { default_timeout_microseconds: 1e6 } },
      { paused: true },
    )
    it.send('busy')
    it.clock.settle()
    const waiting = it.send('a')
    const closing = it.scheduler.close()
    it.instances[0]!.execute = () => {
      throw new Error('nothing else may run')
    }
    waiting.request.cancel()
    it.instances[0]?.finish()
    await closing
    expect(it.clock.timers).toBe(0)
    expect(it.log).toEqual([])
  })

  test('closing runs what waits at once, however long its window', async () => {
    const it = rig({ max_queue_delay_microseconds: 1e9 }, { delayUntilQueued: 5 })
    sendMany(it, 1, 2)
    await it.scheduler.close()
    expect(it.order).toEqual(['1', '2'])
    expect(it.clock.timers).toBe(0)
  })
})
