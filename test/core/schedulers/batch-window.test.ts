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

  test('SCHED-05: a request that would overshoot every preferred size does not join', () => {
    const it = rig({ preferred_batch_size: [4], max_queue_delay_microseconds: 1000 })
    it.send('a', { rows: 3 })
    it.send('b', { rows: 2 })
    it.clock.settle()
    expect(it.batches).toEqual([['a']])
  })

  test('SCHED-06: requests that outwaited their window run together, beyond a preferred size', () => {
    const it = rig(
      { preferred_batch_size: [2], max_queue_delay_microseconds: 1000 },
      { paused: true },
    )
    sendMany(it, 1, 2)
    it.clock.settle()
    sendMany(it, 3, 5)
    it.clock.advance(1000 * US)
    it.instances[0]?.finish()
    expect(it.batches[1]).toEqual(['3', '4', '5'])
  })

  test('SCHED-06: the window is that of the oldest request, also behind a higher level', () => {
    const it = rig({
      max_queue_delay_microseconds: 1000,
      priority_levels: 2,
      default_priority_level: 2,
    })
    it.send('old', { priority: 2 })
    it.clock.advance(500 * US)
    it.send('urgent', { priority: 1 })
    it.clock.advance(500 * US)
    expect(it.batches).toEqual([['urgent', 'old']])
  })

  test('an arrival that cannot change an open window costs no turn', () => {
    const it = rig(
      { max_queue_delay_microseconds: 1000 },
      { config: { input: [{ name: 'INPUT0', dims: [1] }] } },
    )
    sendMany(it, 1, 8)
    it.clock.settle()
    it.send('a')
    it.clock.settle()
    it.send('b')
    expect(it.clock.turns).toBe(0)
  })

  test('an inline instance lets the event loop turn while a long queue drains', () => {
    const it = rig({}, { paused: true })
    it.send('busy')
    it.clock.settle()
    for (let i = 0; i < 200; i++) it.send(`${i}`, { rows: 8 })
    it.instances[0]!.paused = false
    it.instances[0]?.finish()
    expect(it.order.length).toBeLessThan(100)
    it.clock.settle()
    expect(it.order).toHaveLength(201)
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
