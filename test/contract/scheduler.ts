import { describe, expect, test } from 'vitest'
import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import { createRig, type Rig, type RigOptions } from '../core/schedulers/rig.ts'

/** What every scheduler promises, whatever its order and its batches. `config` makes the scheduler under test. */
export function describeScheduler(name: string, config: ModelConfig): void {
  const rig = (options: RigOptions = {}): Rig =>
    createRig({ ...options, config: { ...config, ...options.config } })

  describe(`${name} as a scheduler`, () => {
    test('answers a request with its own rows', () => {
      const { send, clock } = rig()
      const sent = send('a', { rows: 2, columns: 3, value: 7 })
      clock.settle()
      expect(sent.response().outputs[0]?.shape).toEqual([2, 3])
      expect(sent.values).toEqual([7, 7, 7, 7, 7, 7])
    })

    test('counts a client-side batch as one execution and as many inferences as it has rows', () => {
      const { send, clock, stats } = rig()
      send('a', { rows: 3 })
      clock.settle()
      expect(stats.inferenceCount).toBe(3)
      expect(stats.executionCount).toBe(1)
      expect(stats.success.count).toBe(1)
      expect([...stats.batches.keys()]).toEqual([3])
    })

    test('runs on every free instance at once and keeps the rest waiting', () => {
      const { send, clock, scheduler, instances } = rig({ count: 2, paused: true })
      for (const id of ['a', 'b', 'c']) {
        send(id, { rows: 8 })
        clock.settle()
      }
      expect(instances.map((instance) => instance.running)).toEqual([true, true])
      expect(scheduler.pending).toBe(1)
      instances[0]?.finish()
      clock.settle()
      expect(scheduler.pending).toBe(0)
    })

    test('answers in arrival order on one instance', () => {
      const { send, clock, instances, order } = rig({ paused: true })
      for (const id of ['a', 'b', 'c']) {
        send(id, { rows: 8 })
        clock.settle()
      }
      for (let i = 0; i < 3; i++) {
        instances[0]?.finish()
        clock.settle()
      }
      expect(order).toEqual(['a', 'b', 'c'])
    })

    test('drops a request that is cancelled while it waits, answers it at once and counts it', () => {
      const { send, clock, instances, stats, batches, scheduler } = rig({ paused: true })
      send('a', { rows: 8 })
      clock.settle()
      const waiting = send('b')
      waiting.request.cancel()
      expect(waiting.error).toMatch(/^CANCELLED /)
      expect(scheduler.pending).toBe(0)
      instances[0]?.finish()
      clock.settle()
      expect(batches).toEqual([['a']])
      expect(stats.failures.CANCELED).toBe(1)
    })

    test('does not run a request that was cancelled before it came', () => {
      const { send, clock, batches, scheduler, stats } = rig()
      const { request } = send('a')
      clock.settle()
      request.settled = false
      request.cancel()
      scheduler.submit(request)
      clock.settle()
      expect(batches).toHaveLength(1)
      expect(stats.failures.CANCELED).toBe(1)
    })

    test('stops an execution that nobody waits for any more', () => {
      const { send, clock, instances, stats } = rig({ paused: true })
      const sent = send('a')
      clock.settle()
      sent.request.cancel()
      expect(instances[0]?.terminated).toBe(1)
      expect(sent.answers).toEqual([])
      instances[0]?.finish(new ServerError('INTERNAL', 'exiting due to terminate flag'))
      expect(sent.error).toMatch(/^CANCELLED /)
      expect(stats.failures).toMatchObject({ CANCELED: 1, BACKEND: 0 })
    })

    test('passes the error of an execution on to its requests and goes on with the next', () => {
      const { send, clock, instances, stats } = rig()
      instances[0]?.failNext(new ServerError('INVALID_ARG', 'bad numbers'))
      const failed = send('a')
      clock.settle()
      const fine = send('b', { value: 5 })
      clock.settle()
      expect(failed.error).toBe('INVALID_ARG bad numbers')
      expect(fine.values).toEqual([5])
      expect(stats.failures.BACKEND).toBe(1)
      expect(stats.executionCount).toBe(1)
    })

    test('withholds the message of an instance that throws, logs it and stays usable', () => {
      const { send, clock, instances, log } = rig()
      const instance = instances[0]!
      const { execute } = instance
      instance.execute = () => {
        throw new TypeError('secret')
      }
      const failed = send('a')
      clock.settle()
      instance.execute = execute
      const fine = send('b', { value: 5 })
      clock.settle()
      expect(failed.error).toBe('INTERNAL internal error')
      expect(log.join()).toContain('secret')
      expect(fine.values).toEqual([5])
    })

    test('answers INTERNAL when an output does not have the rows of its batch', () => {
      let released = 0
      const { send, clock, stats } = rig({
        compute: (batch) => ({
          outputs: [
            { name: 'OUTPUT0', datatype: 'INT32', shape: [9, 1], data: new Uint8Array(36) },
          ],
          release: () => {
            released += batch.requests.length
          },
        }),
      })
      const sent = send('a')
      clock.settle()
      expect(sent.error).toMatch(/^INTERNAL output 'OUTPUT0' has shape \[9,1\]/)
      expect(released).toBe(1)
      expect(stats.executionCount).toBe(0)
    })

    test('goes on when a front end throws while it takes its answer', () => {
      const { send, clock, log } = rig()
      send('a', {
        onAnswer() {
          throw new Error('socket is gone')
        },
      })
      clock.settle()
      const fine = send('b', { value: 5 })
      clock.settle()
      expect(fine.values).toEqual([5])
      expect(log.join()).toContain('socket is gone')
    })

    test('takes a request that is sent while another is answered, without growing the stack', () => {
      let depth = 0
      let deepest = 0
      let left = 20_000
      const { send, clock, order } = rig({ count: 3 })
      const next = (): void => {
        deepest = Math.max(deepest, ++depth)
        if (left-- > 0) send('x', { onAnswer: next })
        depth--
      }
      next()
      clock.settle()
      expect(order).toHaveLength(20_000)
      expect(deepest).toBeLessThan(5)
    })

    test('splits the time of a request into queue and compute', () => {
      const { send, clock, stats, instances } = rig({ paused: true })
      send('a', { rows: 8 })
      clock.settle()
      send('b', { rows: 8 })
      clock.advance(100)
      instances[0]?.finish()
      clock.settle()
      clock.advance(30)
      instances[0]?.finish()
      expect(stats.queue.ns).toBe(100)
      expect(stats.computeInfer.ns).toBe(130)
      expect(stats.success.ns).toBe(230)
      expect(stats.batches.get(8)?.computeInfer).toMatchObject({ count: 2, ns: 130 })
    })

    test('closes when everything it took is answered, and takes nothing more', async () => {
      const { send, clock, scheduler, instances } = rig({ paused: true })
      const running = send('a', { rows: 8 })
      clock.settle()
      const waiting = send('b')
      let closed = false
      const closing = scheduler.close().then(() => {
        closed = true
      })
      const late = send('c')
      expect(late.error).toBe(
        'UNAVAILABLE [request id: c] Server is stopping, scheduler for model has stopped accepting new inference requests',
      )
      instances[0]?.finish()
      clock.settle()
      await Promise.resolve()
      expect(running.answers).toHaveLength(1)
      expect(closed).toBe(false)
      instances[0]?.finish()
      await closing
      expect(waiting.answers).toHaveLength(1)
      await scheduler.close()
      expect(clock.timers).toBe(0)
    })

    test('answers every call of close once it is empty', async () => {
      const { send, clock, scheduler, instances } = rig({ paused: true })
      send('a', { rows: 8 })
      clock.settle()
      const closings = [scheduler.close(), scheduler.close()]
      instances[0]?.finish()
      clock.settle()
      await Promise.all(closings)
    })

    test('closes at once when idle', async () => {
      const { scheduler } = rig()
      await scheduler.close()
    })
  })
}
