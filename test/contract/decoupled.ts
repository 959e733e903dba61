import { describe, expect, test } from 'vitest'
import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { InferResponse } from '../../core/infer.ts'
import { createRig, int32, type Rig, type RigOptions, type Sent } from '../core/schedulers/rig.ts'
import type { FakeInstance } from '../helpers/fake-backend.ts'

/** A response of one value. */
export function value(of: number, onRelease?: () => void): InferResponse {
  const outputs = [int32('OUTPUT0', [1, 1], [of])]
  return onRelease === undefined ? { outputs } : { outputs, release: onRelease }
}

/** What a client saw, answer by answer: a number, `CODE text`, or null. */
export function seen({ answers }: Sent): (number | string | null)[] {
  return answers.map((answer) => {
    if (answer === null) return null
    if (answer instanceof ServerError) return `${answer.code} ${answer.message}`
    return new Int32Array((answer.outputs[0]?.data ?? new Uint8Array(4)).slice().buffer)[0] ?? null
  })
}

/** What every scheduler promises for decoupled models. `config` makes the scheduler under test. */
export function describeDecoupled(name: string, config: ModelConfig): void {
  const rig = (options: RigOptions = {}): Rig =>
    createRig({
      ...options,
      config: { ...config, model_transaction_policy: { decoupled: true }, ...options.config },
    })
  /** Sends a request that starts to run; its instance stays busy until it is finished. */
  const running = (options: RigOptions = {}) => {
    const made = rig({ paused: true, ...options })
    const sent = made.send('a')
    made.clock.settle()
    const instance = made.instances[0] as FakeInstance
    const answers = instance.batches[0]?.answers
    if (answers === null || answers === undefined) throw new Error('no answers were given')
    return { ...made, stats: made.stats, sent, instance, answers }
  }

  describe(`${name} with a decoupled model`, () => {
    test('passes on no, one or many responses as they come', () => {
      for (const count of [0, 1, 5]) {
        const { sent, instance, answers, stats } = running()
        const values = Array.from({ length: count }, (_, i) => i)
        for (const one of values) {
          answers.send(0, value(one), false)
          expect(seen(sent)).toHaveLength(one + 1)
        }
        answers.send(0, null, true)
        instance.finish()
        expect(seen(sent)).toEqual([...values, null])
        expect(stats.success.count).toBe(1)
      }
    })

    test('takes the last response as the final answer where the instance says so', () => {
      const { sent, instance, answers, order } = running()
      answers.send(0, value(7), true)
      expect(seen(sent)).toEqual([7])
      expect(order).toEqual(['a'])
      instance.finish()
      expect(seen(sent)).toEqual([7])
    })

    test('passes on what comes after the execution, and is closed only then', async () => {
      const { sent, instance, answers, scheduler } = running()
      answers.send(0, value(1), false)
      instance.finish()
      let closed = false
      const closing = scheduler.close().then(() => {
        closed = true
      })
      await new Promise((resolve) => setImmediate(resolve))
      expect(closed).toBe(false)
      answers.send(0, value(2), false)
      answers.send(0, null, true)
      await closing
      expect(seen(sent)).toEqual([1, 2, null])
    })

    test('runs the next request while an earlier one still gets answers', () => {
      const { send, clock, sent, instance, answers } = running()
      instance.finish()
      const next = send('b')
      clock.settle()
      const others = instance.batches[1]?.answers
      others?.send(0, value(20), true)
      answers.send(0, value(10), true)
      expect([seen(sent), seen(next)]).toEqual([[10], [20]])
    })

    test('an error between responses is an answer like others; the request failed', () => {
      const { sent, instance, answers, stats } = running()
      answers.send(0, value(1), false)
      answers.send(0, new ServerError('INTERNAL', 'half-way'), false)
      answers.send(0, value(2), false)
      answers.send(0, null, true)
      instance.finish()
      expect(seen(sent)).toEqual([1, 'INTERNAL half-way', 2, null])
      expect([stats.success.count, stats.failures.BACKEND]).toEqual([0, 1])
    })

    test('an execution that fails ends what has no final answer yet', () => {
      const { sent, instance, answers, stats } = running()
      answers.send(0, value(1), false)
      instance.finish(new ServerError('INTERNAL', 'broken'))
      answers.send(0, value(2), false)
      expect(seen(sent)).toEqual([1, 'INTERNAL broken'])
      expect([stats.failures.BACKEND, stats.executionCount]).toEqual([1, 0])
    })

    test('ignores what comes after the final answer, and gives its memory back', () => {
      const { sent, instance, answers, stats } = running()
      answers.send(0, null, true)
      let released = 0
      answers.send(
        0,
        value(1, () => released++),
        true,
      )
      answers.send(0, null, true)
      answers.send(
        9,
        value(1, () => released++),
        true,
      )
      instance.finish()
      expect(seen(sent)).toEqual([null])
      expect(released).toBe(2)
      expect(stats.success.count).toBe(1)
    })

    test('a request that is cancelled is marked so, its instance hears of it, and it is counted as cancelled', () => {
      const { sent, instance, answers, stats } = running({ hearsCancel: true })
      instance.finish()
      sent.request.cancel()
      expect(instance.cancellations).toEqual([sent.request])
      expect(sent.request.cancelled).toBe(true)
      answers.send(0, new ServerError('CANCELLED', 'stopped'), true)
      expect(seen(sent)).toEqual(['CANCELLED request was cancelled'])
      expect(stats.failures).toMatchObject({ CANCELED: 1, BACKEND: 0 })
    })

    test('an instance that answers its batch as a whole gives each request its only response', () => {
      const { send, clock, instances } = rig()
      const instance = instances[0] as FakeInstance
      instance.execute = (_batch, _marks, done) =>
        done({ outputs: [int32('OUTPUT0', [1, 1], [4])] })
      const sent = send('a')
      clock.settle()
      expect(seen(sent)).toEqual([4])
    })

    test('a client that throws on an answer harms nobody else', () => {
      const { send, clock, instances, log } = rig({ paused: true })
      const first = send('a', {
        onAnswer: () => {
          throw new TypeError('secret')
        },
      })
      clock.settle()
      const instance = instances[0] as FakeInstance
      instance.batches[0]?.answers?.send(0, value(1), false)
      instance.batches[0]?.answers?.send(0, value(2), true)
      instance.finish()
      clock.settle()
      expect(first.answers).toHaveLength(2)
      expect(log.join()).toContain('secret')
      const second = send('b')
      clock.settle()
      instance.batches[1]?.answers?.send(0, value(3), true)
      expect(seen(second)).toEqual([3])
    })

    test('counts each response at its place in the stream', () => {
      const { clock, instance, answers, stats } = running()
      clock.advance(3e6)
      answers.send(0, value(1), false)
      clock.advance(5e6)
      answers.send(0, new ServerError('INTERNAL', 'no'), false)
      instance.finish()
      clock.advance(1e6)
      answers.send(0, null, true)
      const [first, second, last] = stats.responses
      expect(first).toMatchObject({
        success: { count: 1, ns: 3e6 },
        computeInfer: { count: 1, ns: 3e6 },
        computeOutput: { count: 1, ns: 0 },
      })
      expect(second).toMatchObject({ fail: { count: 1, ns: 5e6 }, success: { count: 0 } })
      expect(last).toMatchObject({
        emptyResponse: { count: 1, ns: 1e6 },
        computeInfer: { count: 1, ns: 1e6 },
        computeOutput: { count: 0 },
      })
      expect(stats.responses).toHaveLength(3)
      expect(stats.executionCount).toBe(1)
    })
  })
}
