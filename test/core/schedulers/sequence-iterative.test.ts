import { describe, expect, it } from 'vitest'
import type { Batch, BatchResult } from '../../../core/backend/types.ts'
import type { SequenceBatching, SequenceState } from '../../../core/config/types.ts'
import { int32 } from './rig.ts'
import { CONTROLS, column, createSequenceRig } from './sequence-rig.ts'

const OUTPUT0 = { name: 'OUTPUT0', data_type: 'TYPE_INT32' as const, dims: [1] }
const COUNT: SequenceState = {
  input_name: 'COUNT_IN',
  output_name: 'COUNT_OUT',
  data_type: 'TYPE_INT32',
  dims: [1],
}
const STRATEGIES: readonly (readonly [string, SequenceBatching])[] = [
  ['direct', { direct: {} }],
  ['oldest', { oldest: { max_candidate_sequences: 2 } }],
]

/** Runs each request as often as its INPUT0 says, then answers the count of its runs. */
function repeat(batch: Batch): BatchResult {
  const wanted = column(batch, 'INPUT0')
  const counts = column(batch, 'COUNT_IN').map((count) => count + 1)
  return {
    outputs: ['OUTPUT0', 'COUNT_OUT'].map((name) => int32(name, [batch.size, 1], counts)),
    again: batch.requests.filter((request, i) => {
      return !request.settled && (counts[i] as number) < (wanted[i] as number)
    }),
  }
}

describe.each(STRATEGIES)('an iterative %s model', (_, strategy) => {
  const sequence: SequenceBatching = {
    ...strategy,
    iterative_sequence: true,
    state: [COUNT],
    control_input: CONTROLS,
  }
  const rigOf = (more: SequenceBatching = {}, paused = false) =>
    createSequenceRig({
      sequence: { ...sequence, ...more },
      config: { max_batch_size: 2, output: [OUTPUT0] },
      compute: repeat,
      paused,
    })

  it('runs a request until the instance is done with it, with no id of its own', () => {
    const rig = rigOf()
    const steps = [rig.step(0n, '', 3), rig.step(0n, '', 1), rig.step(0n, '', 2)]
    rig.clock.settle()
    expect(steps.map((step) => step.numbers('OUTPUT0'))).toEqual([[3], [1], [2]])
    expect(rig.stats.success.count).toBe(3)
    expect(rig.stats.inferenceCount).toBe(3)
    expect(rig.scheduler.pending).toBe(0)
  })

  it('gives each request without an id a number that the instance sees, in all its runs', () => {
    const seen: (bigint | string)[] = []
    const rig = createSequenceRig({
      sequence,
      config: { max_batch_size: 2, output: [OUTPUT0] },
      compute(batch) {
        seen.push(...batch.requests.map(({ sequenceId }) => sequenceId))
        return repeat(batch)
      },
    })
    rig.run(0n, '', 2)
    rig.run(0n, '', 2)
    expect(seen).toEqual([1n, 1n, 2n, 2n])
  })

  it('shows START on the first run alone', () => {
    const starts: number[] = []
    const rig = createSequenceRig({
      sequence,
      config: { output: [OUTPUT0] },
      compute(batch) {
        starts.push(...column(batch, 'START'))
        return repeat(batch)
      },
    })
    rig.run(0n, '', 3)
    expect(starts).toEqual([1, 0, 0])
  })

  it('lets requests join and leave between runs', () => {
    const rig = rigOf({}, true)
    const [instance] = rig.instances
    const running = () => instance?.current.map(({ id }) => id).sort()
    rig.run(0n, '', 3)
    instance?.finish()
    rig.run(0n, '', 1)
    expect(running()).toEqual(['0:1', '0:3'])
    instance?.finish()
    rig.clock.settle()
    expect(running()).toEqual(['0:3'])
  })

  it('stops between runs when the client leaves', () => {
    const rig = rigOf({}, true)
    const step = rig.run(0n, '', 100)
    step.request.cancel()
    rig.instances[0]?.finish()
    rig.clock.settle()
    expect(step.error).toBe('CANCELLED request was cancelled')
    expect(rig.instances[0]?.running).toBe(false)
    expect(rig.scheduler.pending).toBe(0)
  })

  it('alone may have requests that run again', () => {
    const rig = rigOf({ iterative_sequence: false })
    expect(rig.run(1n, 's', 2).error).toBe(
      'INTERNAL only requests of iterative sequences can run again',
    )
  })

  it('finishes its requests when it closes', async () => {
    const rig = rigOf()
    const step = rig.step(0n, '', 5)
    const closing = rig.scheduler.close()
    rig.clock.settle()
    await closing
    expect(step.numbers('OUTPUT0')).toEqual([5])
  })
})
