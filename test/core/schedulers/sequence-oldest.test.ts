import { describe, expect, it } from 'vitest'
import { US } from './rig.ts'
import { CONTROLS, createSequenceRig } from './sequence-rig.ts'

function rigOf(oldest: object, paused = false) {
  return createSequenceRig({ sequence: { oldest, control_input: CONTROLS }, paused })
}

describe('the oldest strategy', () => {
  it('puts the first requests of several sequences into one batch, without null requests', () => {
    const rig = rigOf({ max_candidate_sequences: 8 })
    const steps = [rig.step(1n, 's', 1), rig.step(2n, 's', 2), rig.run(3n, 's', 3)]
    expect(steps.map((step) => step.numbers('OUTPUT0'))).toEqual([[1], [2], [3]])
    rig.run(3n, '', 4)
    expect(rig.instances[0]?.batches.map(({ ids }) => ids)).toEqual([
      ['1:1', '2:2', '3:3'],
      ['3:4'],
    ])
  })

  it('never has two requests of a sequence in one batch, and keeps their order', () => {
    const rig = rigOf({ max_candidate_sequences: 8 })
    const steps = [rig.step(1n, 's', 1), rig.step(1n, '', 2), rig.run(1n, 'e', 3)]
    expect(rig.instances[0]?.batches.map(({ ids }) => ids)).toEqual([['1:1'], ['1:2'], ['1:3']])
    expect(steps.map((step) => step.numbers('END'))).toEqual([[0], [0], [1]])
  })

  it('has as many candidates as the config says, the others wait', () => {
    const rig = rigOf({ max_candidate_sequences: 2 })
    rig.run(1n, 's')
    rig.run(2n, 's')
    const third = rig.run(3n, 's')
    expect(third.answers).toEqual([])
    rig.run(2n, 'e')
    expect(third.answers).toHaveLength(1)
  })

  it('may have more candidates than a batch has rows', () => {
    const rig = rigOf({ max_candidate_sequences: 6 })
    const steps = [1n, 2n, 3n, 4n, 5n, 6n].map((id) => rig.step(id, 's'))
    rig.clock.settle()
    expect(steps.every(({ answers }) => answers.length === 1)).toBe(true)
    expect(rig.instances[0]?.batches.map(({ size }) => size)).toEqual([4, 2])
  })

  it('waits for a preferred size, at most the queue delay', () => {
    const rig = rigOf({
      max_candidate_sequences: 4,
      preferred_batch_size: [2],
      max_queue_delay_microseconds: 100,
    })
    const alone = rig.run(1n, 's')
    rig.clock.advance(90 * US)
    expect(alone.answers).toEqual([])
    const other = rig.run(2n, 's')
    expect([alone.answers.length, other.answers.length]).toEqual([1, 1])
    const late = rig.run(1n, '')
    rig.clock.advance(101 * US)
    expect(late.answers).toHaveLength(1)
  })

  it('ends a sequence whose request is cancelled inside the window', () => {
    const rig = rigOf({ max_candidate_sequences: 4, max_queue_delay_microseconds: 100 })
    const steps = [rig.run(1n, 's'), rig.run(1n, ''), rig.run(1n, 'e')]
    steps[0]?.request.cancel()
    expect(steps.map(({ error }) => error)).toEqual(
      steps.map(() => 'CANCELLED request was cancelled'),
    )
    expect(rig.run(1n, '').error).toMatch(/must specify the START flag/)
    expect(rig.stats.failures.CANCELED).toBe(3)
  })

  it('sends answers in order of dispatch when asked to', () => {
    const rig = rigOf({ max_candidate_sequences: 4, preserve_ordering: true })
    const steps = [rig.step(1n, 's', 1), rig.step(2n, 's', 2), rig.step(1n, '', 3)]
    rig.clock.settle()
    expect(steps.map((step) => step.numbers('OUTPUT0'))).toEqual([[1], [2], [3]])
  })
})
