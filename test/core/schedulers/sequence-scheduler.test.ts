import { describe, expect, it } from 'vitest'
import type { SequenceBatching } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { MAX_SEQUENCE_REQUESTS } from '../../../core/schedulers/sequence-scheduler.ts'
import { US } from './rig.ts'
import { CONTROLS, createSequenceRig } from './sequence-rig.ts'

const STRATEGIES: readonly (readonly [string, SequenceBatching])[] = [
  ['direct', { direct: {}, control_input: CONTROLS }],
  ['oldest', { oldest: { max_candidate_sequences: 4 }, control_input: CONTROLS }],
]
/** One slot: a second sequence waits in the backlog. */
const ONE: readonly (readonly [string, SequenceBatching])[] = [
  ['direct', { direct: {}, control_input: CONTROLS }],
  ['oldest', { oldest: { max_candidate_sequences: 1 }, control_input: CONTROLS }],
]
const narrow = { max_batch_size: 1 }
const EXPIRED = 'UNAVAILABLE timeout of the corresponding sequence has been expired'
const CANCELLED = 'CANCELLED request was cancelled'
const NO_START = (id: bigint | string) =>
  `INVALID_ARG inference request for sequence ${id} to model 'm' must specify the START flag on the first request of the sequence`

describe.each(STRATEGIES)('a sequence request to a %s model', (_, sequence) => {
  it('must name its sequence, begin it with START and have one row', () => {
    const rig = createSequenceRig({ sequence })
    const anonymous =
      "INVALID_ARG inference request to model 'm' must specify a non-zero or non-empty correlation ID"
    expect(rig.run(0n, 's').error).toBe(anonymous)
    expect(rig.run('', 's').error).toBe(anonymous)
    expect(rig.run(5n, '').error).toBe(NO_START(5n))
    expect(rig.run(5n, 's', 0, { rows: 2 }).error).toBe(
      "INVALID_ARG inference request to model 'm' must specify batch-size 1 due to requirements of sequence batcher",
    )
    expect(rig.run('hello', 's').error).toBe(
      "INVALID_ARG [request id: hello:0] sequence batching control 'CORRID' data-type is 'BYTES', but model 'm' expects 'UINT64'",
    )
    expect(rig.stats.fail.count).toBe(0)
    expect(rig.clock.timers).toBe(0)
  })

  it('may have a string as id that fits, packed, where the model expects a number', () => {
    const rig = createSequenceRig({ sequence })
    expect(rig.run('s1', 'se').output('CORRID').data).toEqual(
      Uint8Array.of(2, 0, 0, 0, 115, 49, 0, 0),
    )
    expect(rig.run('\u00e9\u00e9', 'se').error).toBe('')
    expect(rig.run('\u00e9\u00e9a', 'se').error).toContain("data-type is 'BYTES'")
  })

  it('may have a string as id where the model does not ask for a number', () => {
    const bare = { ...sequence, control_input: CONTROLS.slice(0, 3) }
    const rig = createSequenceRig({ sequence: bare, config: { output: [OUTPUT0] } })
    expect(rig.run('', 's').error).toContain('non-zero or non-empty correlation ID')
    expect(rig.run('42', 's', 7).numbers('OUTPUT0')).toEqual([7])
    expect(rig.run(42n, '').error).toBe(NO_START(42n))
    expect(rig.run('42', 'e', 8).numbers('OUTPUT0')).toEqual([8])
    expect(rig.run('42', '').error).toBe(NO_START('42'))
  })

  it('ends its sequence with END, after which the id is free', () => {
    const rig = createSequenceRig({ sequence })
    rig.run(1n, 's')
    rig.run(1n, 'e')
    expect(rig.run(1n, '').error).toBe(NO_START(1n))
    expect(rig.run(1n, 's').error).toBe('')
    expect(rig.warnings).toEqual([])
  })

  it('begins its sequence anew with a second START, and the server says so', () => {
    const rig = createSequenceRig({ sequence })
    rig.run(1n, 's')
    expect(rig.run(1n, 's').numbers('START')).toEqual([1])
    expect(rig.warnings).toEqual([
      `sequence "1" for model 'm' has a conflict. The previous sequence did not end before this sequence start. Previous sequence will be terminated early.`,
    ])
  })

  it('fails once its sequence was idle for too long', () => {
    const rig = createSequenceRig({ sequence })
    rig.run(1n, 's')
    rig.clock.advance(900 * US)
    expect(rig.run(1n, '').error).toBe('')
    rig.clock.advance(900 * US)
    expect(rig.run(1n, '').error).toBe('')
    rig.clock.advance(1001 * US)
    expect(rig.run(1n, '').error).toBe(NO_START(1n))
    expect(rig.clock.timers).toBe(0)
  })

  it('does not count as idle while it runs', () => {
    const rig = createSequenceRig({ sequence, paused: true })
    const first = rig.run(1n, 's')
    rig.clock.advance(5000 * US)
    rig.instances[0]?.finish()
    expect(first.error).toBe('')
    rig.clock.advance(900 * US)
    const second = rig.run(1n, '')
    rig.instances[0]?.finish()
    expect(second.error).toBe('')
  })

  it('is answered even when the client left while it ran, and its sequence goes on', () => {
    const rig = createSequenceRig({ sequence, paused: true })
    const first = rig.run(1n, 's', 3)
    first.request.cancel()
    expect(rig.instances[0]?.terminated).toBe(0)
    rig.instances[0]?.finish()
    expect(first.numbers('OUTPUT0')).toEqual([3])
    const second = rig.run(1n, 'e')
    rig.instances[0]?.finish()
    expect(second.error).toBe('')
  })

  it('ends its sequence when it is cancelled before it runs', () => {
    const rig = createSequenceRig({ sequence, paused: true })
    const [first, second, third] = [rig.run(1n, 's'), rig.run(1n, ''), rig.run(1n, '')]
    second?.request.cancel()
    expect([second?.error, third?.error]).toEqual([CANCELLED, CANCELLED])
    expect(rig.run(1n, '').error).toBe(NO_START(1n))
    rig.instances[0]?.finish()
    expect(first?.error).toBe('')
    expect(rig.stats.failures).toMatchObject({ CANCELED: 2, REJECTED: 0 })
  })

  it('does not take a sequence along that began anew behind it', () => {
    const rig = createSequenceRig({ sequence, paused: true })
    rig.run(1n, 's')
    const [second, again] = [rig.run(1n, ''), rig.run(1n, 's')]
    second?.request.cancel()
    rig.instances[0]?.finish()
    rig.clock.settle()
    rig.instances[0]?.finish()
    expect(again?.numbers('START')).toEqual([1])
  })

  it('is counted as it waits', () => {
    const rig = createSequenceRig({ sequence, paused: true })
    rig.run(1n, 's')
    rig.run(1n, '')
    rig.run(1n, '')
    expect(rig.scheduler.pending).toBe(2)
    rig.clock.advance(50 * US)
    rig.instances[0]?.finish()
    rig.clock.settle()
    rig.instances[0]?.finish()
    expect(rig.stats.queue.ns).toBe(50 * US)
  })
})

const OUTPUT0 = { name: 'OUTPUT0', data_type: 'TYPE_INT32' as const, dims: [1] }

describe.each(ONE)('the backlog of a %s model', (_, sequence) => {
  it('holds whole sequences, in order, until a slot is free', () => {
    const rig = createSequenceRig({ sequence, config: narrow })
    rig.run(1n, 's')
    const waiting = [rig.run(2n, 's', 20), rig.run(3n, 's', 30), rig.run(2n, 'e', 21)]
    expect(waiting.map(({ answers }) => answers.length)).toEqual([0, 0, 0])
    expect(rig.scheduler.pending).toBe(3)
    rig.run(1n, 'e')
    expect(waiting.map((step) => step.numbers('OUTPUT0'))).toEqual([[20], [30], [21]])
    const ran = rig.instances[0]?.batches.flatMap(({ ids }) => ids)
    expect(ran).toEqual(['1:0', '1:0', '2:20', '2:21', '3:30'])
  })

  it('moves up when a sequence is idle for too long', () => {
    const rig = createSequenceRig({ sequence, config: narrow })
    rig.run(1n, 's')
    const next = rig.run(2n, 's')
    rig.clock.advance(1001 * US)
    expect(next.error).toBe('')
    expect(next.answers).toHaveLength(1)
  })

  it('lets a sequence go whose timeout is over, all of it', () => {
    const rig = createSequenceRig({ sequence, config: narrow })
    rig.run(1n, 's')
    const gone = [rig.run(2n, 's', 0, { timeoutUs: 500 }), rig.run(2n, '')]
    const stays = rig.run(3n, 's', 0, { timeoutUs: 5000 })
    rig.clock.advance(501 * US)
    expect(gone.map(({ error }) => error)).toEqual([EXPIRED, EXPIRED])
    expect(stays.answers).toEqual([])
    expect(rig.run(2n, '').error).toBe(NO_START(2n))
    rig.run(1n, 'e')
    expect(stays.error).toBe('')
    rig.clock.advance(5000 * US)
    expect(rig.stats.failures.REJECTED).toBe(2)
  })

  it('forgets the timeout of a sequence that got its slot', () => {
    const rig = createSequenceRig({ sequence, config: narrow, paused: true })
    rig.run(1n, 'se')
    const steps = [1, 2].map((value) =>
      rig.run(2n, value === 1 ? 's' : 'e', value, { timeoutUs: 500 }),
    )
    rig.instances[0]?.finish()
    rig.clock.advance(600 * US)
    rig.instances[0]?.finish()
    rig.clock.settle()
    rig.instances[0]?.finish()
    expect(steps.map((step) => step.numbers('OUTPUT0'))).toEqual([[1], [2]])
  })

  it('lets a whole sequence go when one of its requests is cancelled', () => {
    const rig = createSequenceRig({ sequence, config: narrow })
    rig.run(1n, 's')
    const gone = [rig.run(2n, 's'), rig.run(2n, 'e')]
    gone[1]?.request.cancel()
    expect(gone.map(({ error }) => error)).toEqual([CANCELLED, CANCELLED])
    expect(rig.scheduler.pending).toBe(0)
    expect(rig.run(2n, '').error).toBe(NO_START(2n))
  })

  it('takes no more than its limit', () => {
    const rig = createSequenceRig({ sequence, config: narrow })
    rig.run(1n, 's')
    for (let i = 0; i < MAX_SEQUENCE_REQUESTS; i++) rig.step(BigInt(i + 2), 's')
    expect(rig.run(1_000_000n, 's').error).toBe(
      'UNAVAILABLE [request id: 1000000:0] Exceeds maximum queue size',
    )
    expect(rig.scheduler.pending).toBe(MAX_SEQUENCE_REQUESTS)
    expect(rig.run(1_000_000n, '').error).toBe(NO_START(1_000_000n))
  })

  it('is answered when the model closes, though nobody ends the sequence before', async () => {
    const rig = createSequenceRig({ sequence, config: narrow })
    rig.run(1n, 's')
    const steps = [rig.run(2n, 's'), rig.run(2n, ''), rig.run(3n, 'se')]
    const closing = rig.scheduler.close()
    rig.clock.settle()
    await closing
    expect(steps.map(({ error, answers }) => [error, answers.length])).toEqual([
      ['', 1],
      ['', 1],
      ['', 1],
    ])
    expect(rig.clock.timers).toBe(0)
  })
})

describe.each(STRATEGIES)('closing a %s model', (_, sequence) => {
  it('finishes the sequences it has and begins no other', async () => {
    const rig = createSequenceRig({ sequence, paused: true })
    const first = rig.run(1n, 's')
    const closing = rig.scheduler.close()
    const late = rig.run(2n, 's')
    expect(late.error).toMatch(/^UNAVAILABLE .*Server is stopping, scheduler for model has stopped/)
    const second = rig.run(1n, 'e')
    rig.instances[0]?.finish(new ServerError('INTERNAL', 'planned'))
    rig.clock.settle()
    rig.instances[0]?.finish()
    await closing
    expect([first.error, second.error]).toEqual(['INTERNAL planned', ''])
    expect(rig.run(1n, '').error).toMatch(/^UNAVAILABLE/)
    expect(rig.clock.timers).toBe(0)
  })

  it('stops its timer though sequences still have slots', async () => {
    const rig = createSequenceRig({ sequence })
    rig.run(1n, 's')
    expect(rig.clock.timers).toBe(1)
    await Promise.all([rig.scheduler.close(), rig.scheduler.close()])
    expect(rig.clock.timers).toBe(0)
  })
})
