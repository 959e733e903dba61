import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createGate, createKeyedQueue } from '../../../core/repository/gate.ts'
import { turns } from './harness.ts'

describe('a gate', () => {
  it('never lets more through than its limit, lets all through in order, and survives failures', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -1, max: 5 }),
        fc.array(fc.record({ turns: fc.nat(3), fails: fc.boolean() }), { maxLength: 20 }),
        async (limit, jobs) => {
          const gate = createGate(limit)
          let running = 0
          const started: number[] = []
          const results = await Promise.allSettled(
            jobs.map((job, i) =>
              gate.run(async () => {
                started.push(i)
                expect(++running).toBeLessThanOrEqual(Math.max(1, limit))
                await turns(job.turns)
                running--
                if (job.fails) throw new Error('failed')
                return i
              }),
            ),
          )
          expect(started).toEqual(jobs.map((_, i) => i))
          expect(results.map((one) => one.status === 'rejected')).toEqual(
            jobs.map((job) => job.fails),
          )
        },
      ),
      { seed: 3, numRuns: 100 },
    )
  })
})

describe('a keyed queue', () => {
  it('runs the work of one key in order and one at a time, other keys beside it', async () => {
    const queue = createKeyedQueue()
    const seen: string[] = []
    let release = (): void => {}
    const work = [
      queue.run('a', async () => {
        await new Promise<void>((resolve) => {
          release = resolve
        })
        seen.push('a1')
        throw new Error('failed')
      }),
      queue.run('a', async () => seen.push('a2')),
      queue.run('b', async () => seen.push('b1')),
    ]
    const results = Promise.allSettled(work)
    await turns(2)
    expect(seen).toEqual(['b1'])
    let idle = false
    const waiting = queue.idle().then(() => {
      idle = true
    })
    await turns(2)
    expect(idle).toBe(false)
    release()
    expect((await results).map((one) => one.status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    await waiting
    expect(seen).toEqual(['b1', 'a1', 'a2'])
  })
})
