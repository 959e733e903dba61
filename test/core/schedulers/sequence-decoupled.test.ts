import { describe, expect, test } from 'vitest'
import type { SequenceBatching } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { value } from '../../contract/decoupled.ts'
import type { FakeInstance } from '../../helpers/fake-backend.ts'
import { CONTROLS, column, createSequenceRig } from './sequence-rig.ts'

const STRATEGIES: readonly [string, SequenceBatching][] = [
  ['direct', { direct: {}, control_input: CONTROLS }],
  ['oldest', { oldest: { max_candidate_sequences: 4 }, control_input: CONTROLS }],
]

describe.each(STRATEGIES)('sequences of a decoupled model, %s', (_, sequence) => {
  const rig = (more: { iterative_sequence?: boolean } = {}) => {
    const made = createSequenceRig({
      sequence: { max_sequence_idle_microseconds: 0, ...sequence, ...more },
      config: { model_transaction_policy: { decoupled: true } },
      paused: true,
      hearsCancel: true,
    })
    return { ...made, instance: made.instances[0] as FakeInstance }
  }
  const ids = (instance: FakeInstance) => instance.batches.map((batch) => batch.ids)

  test('a step starts when the one before had its last answer, not before', () => {
    const { run, clock, instance } = rig()
    const first = run(1n, 's', 10)
    const second = run(1n, 'e', 11)
    const answers = instance.batches[0]?.answers
    answers?.send(0, value(1), false)
    instance.finish()
    clock.settle()
    expect(ids(instance)).toEqual([['1:10']])
    answers?.send(0, value(2), true)
    clock.settle()
    expect(ids(instance)).toEqual([['1:10'], ['1:11']])
    instance.batches[1]?.answers?.send(0, value(3), true)
    instance.finish()
    expect([first.answers.length, second.answers.length]).toEqual([2, 1])
  })

  test('other sequences run meanwhile, and each gets its own answers', () => {
    const { run, clock, instance } = rig()
    const a = run(1n, 'se', 10)
    instance.finish()
    clock.settle()
    const b = run(2n, 'se', 20)
    const last = instance.batches.at(-1)
    // With the direct strategy the slot of the first sequence stays empty.
    const row = last?.requests.indexOf(b.request) as number
    last?.answers?.send(row, value(2), true)
    instance.batches[0]?.answers?.send(0, value(1), true)
    instance.finish()
    expect([a.numbers('OUTPUT0'), b.numbers('OUTPUT0')]).toEqual([[1], [2]])
  })

  test('controls stay with their step', () => {
    const { run, instance } = rig()
    run(7n, 's', 10)
    const { requests, size } = instance.batches[0]!
    expect(column({ requests, size }, 'START')).toEqual([1])
    instance.batches[0]?.answers?.send(0, null, true)
    instance.finish()
  })

  test('a step that is cancelled while it gets answers ends its sequence', () => {
    const { run, clock, instance } = rig()
    const first = run(1n, 's', 10)
    const second = run(1n, '', 11)
    instance.finish()
    first.request.cancel()
    expect(instance.cancellations).toEqual([first.request])
    instance.batches[0]?.answers?.send(0, new ServerError('CANCELLED', 'left'), true)
    clock.settle()
    expect(first.error).toMatch(/^CANCELLED/)
    expect(second.error).toMatch(/^CANCELLED/)
    expect(ids(instance)).toEqual([['1:10']])
    expect(run(1n, '', 12).error).toContain('must specify the START flag')
  })

  test('an iterative sequence answers in each of its runs', () => {
    const { clock, instance, step, stats } = rig({ iterative_sequence: true })
    let runs = 0
    instance.execute = (batch, _marks, done, answers) => {
      runs++
      answers?.send(0, value(runs), runs === 3)
      done({ outputs: [], again: runs < 3 ? batch.requests : [] })
    }
    const sent = step(1n, 's', 10)
    clock.settle()
    expect(sent.answers).toHaveLength(3)
    expect([stats.success.count, stats.executionCount]).toEqual([1, 3])
  })

  test('it closes when the last answer came', async () => {
    const { run, clock, instance, scheduler } = rig()
    run(1n, 'se', 10)
    instance.finish()
    clock.settle()
    let closed = false
    const closing = scheduler.close().then(() => {
      closed = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(closed).toBe(false)
    instance.batches[0]?.answers?.send(0, null, true)
    await closing
    expect(closed).toBe(true)
  })
})
