import { describe, expect, it } from 'vitest'
import { createCachedRig, remoteCache } from './cached-rig.ts'

describe('a cache in another process', () => {
  it('is asked once for equal requests', async () => {
    const remote = remoteCache()
    const { send, batches, stats } = createCachedRig({ cache: remote.cache })
    const sent = ['a', 'b'].map((id) => send(id, { value: 5 }))
    expect(remote.asked).toBe(1)
    await remote.answerOne()
    for (const one of sent) expect(one.values).toEqual([5])
    const later = ['c', 'd'].map((id) => send(id, { value: 5 }))
    await remote.answerOne()
    for (const one of later) expect(one.values).toEqual([5])
    expect(batches).toEqual([['a']])
    expect(stats.cacheMiss.count).toBe(1)
    expect(stats.cacheHit.count).toBe(3)
  })

  it('keeps nobody who leaves while it is asked', async () => {
    const remote = remoteCache()
    const { send, batches } = createCachedRig({ cache: remote.cache })
    const [first, second] = ['a', 'b'].map((id) => send(id, { value: 5 }))
    first?.request.cancel()
    expect(first?.error).toMatch(/^CANCELLED/)
    await remote.answerOne()
    expect(second?.values).toEqual([5])
    const alone = send('c', { value: 6 })
    alone.request.cancel()
    expect(alone.error).toMatch(/^CANCELLED/)
    await remote.answerOne()
    expect(batches).toEqual([['b']])
  })

  it('has answered what is only kept back for the sake of the order', async () => {
    const remote = remoteCache()
    const { send, instances, clock, order, scheduler, stats } = createCachedRig({
      cache: remote.cache,
      config: { dynamic_batching: { preserve_ordering: true } },
    })
    send('warm', { value: 1 })
    await remote.answerOne()
    clock.settle()
    instances[0]!.paused = true
    send('slow', { value: 2 })
    const quick = ['b', 'c', 'd'].map((id) => send(id, { value: 1 }))
    await remote.answerOne()
    clock.settle()
    await remote.answerOne()
    quick[0]?.request.cancel()
    quick[1]?.request.cancel()
    instances[0]?.finish()
    clock.settle()
    expect(order).toEqual(['warm', 'slow', 'b', 'c', 'd'])
    for (const one of quick) expect(one.values).toEqual([1])
    expect([stats.success.count, stats.fail.count]).toEqual([5, 0])
    await scheduler.close()
  })

  it('is waited for when the scheduler closes', async () => {
    const remote = remoteCache()
    const { send, scheduler } = createCachedRig({ cache: remote.cache })
    const sent = send('a', { value: 5 })
    const closing = scheduler.close()
    await remote.answerOne()
    await closing
    expect(sent.values).toEqual([5])
  })

  it('keeps nothing that ran when the model had changed since it was asked', async () => {
    let identity = 'v1'
    const remote = remoteCache()
    const { send } = createCachedRig({ cache: remote.cache, identity: () => identity })
    const sent = send('a', { value: 5 })
    identity = 'v2'
    await remote.answerOne()
    expect(sent.values).toEqual([5])
    expect(remote.entries.size).toBe(0)
  })
})
