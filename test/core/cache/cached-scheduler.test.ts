import { describe, expect, it } from 'vitest'
import { localCache } from '../../../core/cache/local-cache.ts'
import { ServerError } from '../../../core/errors.ts'
import type { RequestTrace } from '../../../core/infer.ts'
import { createCachedRig } from './cached-rig.ts'

const WINDOW = {
  dynamic_batching: { preferred_batch_size: [8], max_queue_delay_microseconds: 100 },
}

describe('a model with a response cache', () => {
  it('answers what it was asked before without running', () => {
    const { send, clock, batches } = createCachedRig()
    expect(send('a', { value: 3 }).values).toEqual([3])
    expect(send('b', { value: 3 }).values).toEqual([3])
    expect(send('c', { value: 4 }).values).toEqual([4])
    clock.settle()
    expect(batches).toEqual([['a'], ['c']])
  })

  it('CACHE-07: counts a hit as a success that was no inference', () => {
    const { send, clock, stats } = createCachedRig({ paused: false, durationNs: 50 })
    send('a', { rows: 2 })
    clock.advance(50)
    const before = stats.lastInferenceMs
    clock.advance(5_000_000)
    send('b', { rows: 2 })
    expect(stats).toMatchObject({ inferenceCount: 2, executionCount: 1 })
    expect(stats.success).toMatchObject({ count: 2, ns: 50 })
    expect(stats.cacheHit.count).toBe(1)
    expect(stats.cacheMiss.count).toBe(1)
    expect(stats.computeInfer.count).toBe(1)
    expect(stats.queue.count).toBe(2)
    expect(stats.requestHistogram.count).toBe(2)
    expect(stats.lastInferenceMs).toBe(before)
  })

  it('keeps what the model gave, whatever becomes of the memory it gave it on', () => {
    const pool = new Uint8Array(Int32Array.from([7]).buffer)
    const { send } = createCachedRig({
      compute: () => ({
        outputs: [{ name: 'OUTPUT0', datatype: 'INT32', shape: [1, 1], data: pool }],
        release: () => pool.fill(0xff),
      }),
    })
    const first = send('a').response()
    first.release?.()
    expect(send('b').values).toEqual([7])
  })

  it('does not keep an error', () => {
    const { send, instances, batches } = createCachedRig()
    instances[0]?.failNext(new ServerError('INTERNAL', 'bad luck'))
    expect(send('a').error).toBe('INTERNAL bad luck')
    expect(send('b').values).toEqual([0])
    expect(batches).toHaveLength(2)
  })

  it('CACHE-08: answers all the same when the cache does not take the response, and says so once', () => {
    const cache = localCache({ size: 8000 })
    const { send, batches, warnings, stats } = createCachedRig({ cache })
    expect(send('a', { columns: 1000 }).values).toHaveLength(1000)
    expect(send('b', { columns: 1000 }).values).toHaveLength(1000)
    expect(batches).toHaveLength(2)
    expect(cache.figures?.()).toMatchObject({ entries: 0 })
    expect(stats.cacheSkipped).toBe(2)
    expect(warnings).toEqual([
      "model 'm' version 1: a response of 4768 bytes is not kept, the cache takes up to 1000",
    ])
  })

  it('asks nothing of it for a step of a sequence', () => {
    const { send, batches } = createCachedRig()
    send('a', { sequenceId: 1n })
    send('b', { sequenceId: 1n })
    send('c', { sequenceId: 'one' })
    expect(batches).toHaveLength(3)
  })

  it('has nothing of what ran under another name, and keeps nothing whose name changed meanwhile', () => {
    let identity: string | null = 'v1'
    const { send, batches, instances } = createCachedRig({ identity: () => identity })
    send('a')
    identity = 'v2'
    send('b')
    expect(batches).toHaveLength(2)
    instances[0]!.paused = true
    send('c', { value: 9 })
    identity = 'v3'
    instances[0]?.finish()
    identity = 'v2'
    send('d', { value: 9 })
    instances[0]?.finish()
    expect(batches).toHaveLength(4)
    identity = null
    send('e')
    instances[0]?.finish()
    expect(batches).toHaveLength(5)
  })

  it('keeps the order of answers where the config wants it', async () => {
    const { send, order, clock, instances } = createCachedRig({
      config: { dynamic_batching: { preserve_ordering: true } },
    })
    send('warm', { value: 1 })
    clock.settle()
    instances[0]!.paused = true
    send('slow', { value: 2 })
    clock.settle()
    const quick = send('quick', { value: 1 })
    expect(quick.answers).toEqual([])
    instances[0]?.finish()
    clock.settle()
    expect(order).toEqual(['warm', 'slow', 'quick'])
    expect(quick.values).toEqual([1])
  })
})

describe('equal requests at the same time', () => {
  it('run once, and all get the answer', () => {
    const { send, batches, instances, stats, order } = createCachedRig({ paused: true })
    const sent = ['a', 'b', 'c'].map((id) => send(id, { value: 5 }))
    expect(sent.flatMap((one) => one.answers)).toEqual([])
    instances[0]?.finish()
    expect(batches).toEqual([['a']])
    for (const one of sent) expect(one.values).toEqual([5])
    expect(order).toEqual(['a', 'b', 'c'])
    expect(stats).toMatchObject({ inferenceCount: 1, executionCount: 1 })
    expect(stats.success.count).toBe(3)
    expect(stats.cacheHit.count).toBe(2)
    expect(stats.cacheMiss.count).toBe(1)
  })

  it('get copies of their own: the first one may give its memory back before the others are sent', () => {
    const pool = new Uint8Array(Int32Array.from([7]).buffer)
    const rig = createCachedRig({
      paused: true,
      compute: () => ({
        outputs: [{ name: 'OUTPUT0', datatype: 'INT32', shape: [1, 1], data: pool }],
        release: () => pool.fill(0xff),
      }),
    })
    const first = rig.send('a', { onAnswer: () => pool.fill(0xff) })
    const second = rig.send('b')
    rig.instances[0]?.finish()
    expect(first.answers).toHaveLength(1)
    expect(second.values).toEqual([7])
  })

  it('do so also when the cache takes nothing', () => {
    const { send, batches, instances } = createCachedRig({
      paused: true,
      cache: localCache({ size: 1 }),
    })
    const sent = ['a', 'b'].map((id) => send(id, { value: 5 }))
    instances[0]?.finish()
    expect(batches).toHaveLength(1)
    for (const one of sent) expect(one.values).toEqual([5])
  })

  it('get the error when it fails, and each is counted', () => {
    const { send, instances, stats, batches } = createCachedRig({ paused: true })
    const sent = ['a', 'b', 'c'].map((id) => send(id))
    instances[0]?.finish(new ServerError('INVALID_ARG', 'bad numbers'))
    for (const one of sent) expect(one.error).toBe('INVALID_ARG bad numbers')
    expect(stats.failures).toMatchObject({ BACKEND: 3, CANCELED: 0 })
    expect(stats.fail.count).toBe(3)
    send('d')
    expect(batches).toHaveLength(2)
  })

  it('are refused together, each in words of its own', () => {
    const { send, instances, stats, clock } = createCachedRig({
      paused: true,
      config: { dynamic_batching: { default_queue_policy: { max_queue_size: 1 } } },
    })
    send('running', { value: 1 })
    clock.settle()
    send('waiting', { value: 2 })
    const refused = send('x', { value: 3 })
    expect(refused.error).toContain('[request id: x] Exceeds maximum queue size')
    expect(stats.failures.REJECTED).toBe(1)
    for (let i = 0; i < 2; i++) {
      instances[0]?.finish()
      clock.settle()
    }
  })

  it('hear of a timeout with their own ids', () => {
    const { send, instances, clock } = createCachedRig({ paused: true, config: WINDOW })
    const first = send('a', { rows: 8 })
    clock.settle()
    const second = send('b', { rows: 8 })
    instances[0]?.finish(new ServerError('UNAVAILABLE', `${first.request.logPrefix}is late`))
    expect(first.error).toBe('UNAVAILABLE [request id: a] is late')
    expect(second.error).toBe('UNAVAILABLE [request id: b] is late')
  })

  it('run apart when one is more important, or has less time', () => {
    const { send, batches, instances, stats } = createCachedRig({ paused: true })
    send('a', { value: 1 })
    send('b', { value: 1, priority: 1 })
    send('c', { value: 1, timeoutUs: 100 })
    for (let i = 0; i < 3; i++) instances[0]?.finish()
    expect(batches).toEqual([['a'], ['b'], ['c']])
    // As with Triton: what was there when it was to be put was no miss.
    expect(stats.cacheMiss.count).toBe(1)
  })

  it('a later one runs when nobody waits any more for the first', () => {
    const { send, instances, batches } = createCachedRig({ paused: true })
    const first = send('a')
    first.request.cancel()
    const second = send('b')
    instances[0]?.finish(new ServerError('INTERNAL', 'exiting due to terminate flag'))
    instances[0]?.finish()
    expect(first.error).toMatch(/^CANCELLED/)
    expect(second.values).toEqual([0])
    expect(batches).toHaveLength(2)
  })

  it('go on when the first one leaves', () => {
    const { send, instances, stats, batches } = createCachedRig({ paused: true })
    const first = send('a', { value: 5 })
    const others = ['b', 'c'].map((id) => send(id, { value: 5 }))
    first.request.cancel()
    expect(instances[0]?.terminated).toBe(0)
    instances[0]?.finish()
    expect(batches).toEqual([['a']])
    expect(first.error).toMatch(/^CANCELLED/)
    for (const one of others) expect(one.values).toEqual([5])
    expect(stats.success.count).toBe(2)
    expect(stats.cacheHit.count).toBe(1)
    expect(stats.failures.CANCELED).toBe(1)
  })

  it('do not read what is the first one’s own when that has left', () => {
    const memory = new Uint8Array(Int32Array.from([7]).buffer)
    const { send, instances } = createCachedRig({
      paused: true,
      compute: (batch) => ({ outputs: [{ ...batch.requests[0]!.inputs[0]!, name: 'OUTPUT0' }] }),
    })
    const tensor = { name: 'INPUT0', datatype: 'INT32', shape: [1, 1], data: memory } as const
    // Once it is answered, its front end reads the next request into the same memory.
    const first = send('a', { inputs: [tensor], onAnswer: () => memory.fill(0xff) })
    const second = send('b', { value: 7 })
    first.request.cancel()
    expect(first.answers).toEqual([])
    instances[0]?.finish()
    expect(first.error).toMatch(/^CANCELLED/)
    expect(second.values).toEqual([7])
  })

  it('that are cancelled while another one is answered have one answer, and so have those behind them', async () => {
    const { send, instances, stats, scheduler } = createCachedRig({ paused: true })
    const sent: ReturnType<typeof send>[] = []
    // A connection that breaks takes the requests with it that came over it.
    const broken = () => {
      sent[1]?.request.cancel()
      sent[0]?.request.cancel()
    }
    for (const id of ['a', 'b', 'c', 'd']) sent.push(send(id, { onAnswer: broken }))
    instances[0]?.finish()
    expect(sent.map(({ answers }) => answers.length)).toEqual([1, 1, 1, 1])
    expect(sent.map(({ error }) => error.split(' ')[0])).toEqual(['', 'CANCELLED', '', ''])
    expect([stats.success.count, stats.fail.count]).toEqual([3, 1])
    await scheduler.close()
  })

  it('leave at once one by one, and the last one stops the model', () => {
    const { send, instances, stats } = createCachedRig({ paused: true })
    const [first, second, third] = ['a', 'b', 'c'].map((id) => send(id))
    second?.request.cancel()
    expect(second?.error).toMatch(/^CANCELLED/)
    first?.request.cancel()
    expect(instances[0]?.terminated).toBe(0)
    third?.request.cancel()
    expect(third?.error).toMatch(/^CANCELLED/)
    expect(instances[0]?.terminated).toBe(1)
    instances[0]?.finish(new ServerError('INTERNAL', 'exiting due to terminate flag'))
    expect(first?.error).toMatch(/^CANCELLED/)
    expect(stats.failures).toMatchObject({ CANCELED: 3, BACKEND: 0 })
    expect(stats.success.count).toBe(0)
  })

  it('are answered before a scheduler closes', async () => {
    const { send, instances, scheduler } = createCachedRig({ paused: true })
    const sent = ['a', 'b'].map((id) => send(id))
    const closing = scheduler.close()
    expect(send('late').error).toMatch(/^UNAVAILABLE .*Server is stopping/)
    instances[0]?.finish()
    await closing
    for (const one of sent) expect(one.answers).toHaveLength(1)
    await scheduler.close()
  })
})

it('a model whose inputs come back as its outputs is no danger to those who wait', () => {
  const memory = new Uint8Array(Int32Array.from([7]).buffer)
  const { send, instances } = createCachedRig({
    paused: true,
    compute: (batch) => ({
      outputs: [{ ...batch.requests[0]!.inputs[0]!, name: 'OUTPUT0' }],
    }),
  })
  const tensor = { name: 'INPUT0', datatype: 'INT32', shape: [1, 1], data: memory } as const
  send('a', { inputs: [tensor], onAnswer: () => memory.fill(0xff) })
  const second = send('b', { value: 7 })
  instances[0]?.finish()
  expect(second.values).toEqual([7])
  expect(send('c', { value: 7 }).values).toEqual([7])
})

it('a traced request hears once that it ran and once that it was answered', () => {
  const heard: string[] = []
  const trace: RequestTrace = {
    begin: () => void heard.push('begin'),
    executed: () => void heard.push('executed'),
    answered: (request) => void heard.push(`answered ${request.id}`),
    child: () => trace,
  }
  const { send } = createCachedRig()
  send('a', { trace })
  expect(heard).toEqual(['executed', 'answered a'])
  send('b', { trace })
  expect(heard.slice(2)).toEqual(['answered b'])
})
