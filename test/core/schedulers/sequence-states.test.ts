import { describe, expect, it } from 'vitest'
import type { Batch, BatchResult } from '../../../core/backend/types.ts'
import { packBytes, unpackBytes } from '../../../core/bytes.ts'
import type { ModelConfig, SequenceBatching, SequenceState } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { joinInput } from '../../helpers/fake-backend.ts'
import { int32 } from './rig.ts'
import { column, createSequenceRig } from './sequence-rig.ts'

const OUTPUT0 = { name: 'OUTPUT0', data_type: 'TYPE_INT32' as const, dims: [1] }
const STATE: SequenceState = {
  input_name: 'SUM_IN',
  output_name: 'SUM_OUT',
  data_type: 'TYPE_INT32',
  dims: [1],
}
const STRATEGIES: readonly (readonly [string, SequenceBatching])[] = [
  ['direct', { direct: {}, state: [STATE] }],
  ['oldest', { oldest: {}, state: [STATE] }],
]

/** OUTPUT0 = SUM_OUT = INPUT0 + SUM_IN; a negative INPUT0 fails. Overwrites its buffers when they come back. */
function sum(batch: Batch): BatchResult | ServerError {
  const input = column(batch, 'INPUT0')
  if (input.some((value) => value < 0)) return new ServerError('INTERNAL', 'planned')
  const sums = column(batch, 'SUM_IN').map((state, i) => state + (input[i] as number))
  const outputs = ['OUTPUT0', 'SUM_OUT'].map((name) => int32(name, [sums.length, 1], sums))
  const release = (): void => {
    for (const { data } of outputs) data.fill(0xee)
  }
  return { outputs, release }
}

function rigOf(sequence: SequenceBatching, config: ModelConfig = {}) {
  return createSequenceRig({ sequence, config: { output: [OUTPUT0], ...config }, compute: sum })
}

describe.each(STRATEGIES)('implicit state of a %s model', (_, sequence) => {
  it('goes from each step to the next of its own sequence and starts at zero', () => {
    const rig = rigOf(sequence)
    const totals: (readonly number[])[] = []
    for (const flags of ['s', '', 'e']) {
      const steps = [rig.step(1n, flags, 1), rig.step(2n, flags, 10), rig.run(3n, flags, 100)]
      totals.push(steps.map((step) => step.numbers('OUTPUT0')[0] as number))
    }
    expect(totals).toEqual([
      [1, 10, 100],
      [2, 20, 200],
      [3, 30, 300],
    ])
    expect(rig.run(1n, 's', 5).numbers('OUTPUT0')).toEqual([5])
  })

  it('outlives the buffers of the instance', () => {
    const rig = rigOf(sequence)
    const [answer] = rig.run(1n, 's', 4).answers
    if (answer instanceof ServerError) throw answer
    answer?.release?.()
    expect(rig.run(1n, '', 4).numbers('OUTPUT0')).toEqual([8])
  })

  it('is not returned unless it is an output too', () => {
    const rig = rigOf(sequence)
    expect(() => rig.run(1n, 's', 1).output('SUM_OUT')).toThrow('no output')
    const declared = rigOf(sequence, { output: [OUTPUT0, { ...OUTPUT0, name: 'SUM_OUT' }] })
    expect(declared.run(1n, 's', 1).numbers('SUM_OUT')).toEqual([1])
    const step = declared.run(1n, '', 1, { outputs: ['OUTPUT0'] })
    expect(step.numbers('OUTPUT0')).toEqual([2])
    expect(declared.run(1n, '', 1).numbers('SUM_OUT')).toEqual([3])
  })

  it('begins anew with a second START', () => {
    const rig = rigOf(sequence)
    rig.run(1n, 's', 1)
    expect(rig.run(1n, 's', 1).numbers('OUTPUT0')).toEqual([1])
  })

  it('stays as it was when a step fails', () => {
    const rig = rigOf(sequence)
    rig.run(1n, 's', 1)
    expect(rig.run(1n, '', -1).error).toBe('INTERNAL planned')
    expect(rig.run(1n, '', 1).numbers('OUTPUT0')).toEqual([2])
  })

  it('is an error when the model does not give it', () => {
    const rig = createSequenceRig({
      sequence,
      config: { output: [OUTPUT0] },
      compute: (batch) => ({ outputs: [int32('OUTPUT0', [batch.size, 1], [0])] }),
    })
    expect(rig.run(1n, 's').error).toBe("INTERNAL the model gave no output 'SUM_OUT'")
  })

  it('begins with what the config gives', () => {
    const rig = createSequenceRig({
      sequence,
      config: { output: [OUTPUT0] },
      compute: sum,
      initialStates: new Map([['SUM_IN', int32('SUM_IN', [1, 1], [1000])]]),
    })
    expect(rig.run(1n, 's', 1).numbers('OUTPUT0')).toEqual([1001])
    expect(rig.run(2n, 's', 2).numbers('OUTPUT0')).toEqual([1002])
    expect(rig.run(1n, '', 1).numbers('OUTPUT0')).toEqual([1002])
  })
})

it.each(['direct', 'oldest'] as const)(
  'states of other lengths are never joined in one batch (%s)',
  (strategy) => {
    const log: SequenceState = {
      input_name: 'LOG_IN',
      output_name: 'LOG_OUT',
      data_type: 'TYPE_INT32',
      dims: [-1],
    }
    const rig = createSequenceRig({
      sequence: { [strategy]: {}, state: [log] },
      config: { output: [OUTPUT0] },
      compute(batch) {
        const columns = batch.requests[0]?.inputs.at(-1)?.shape[1] as number
        const rows = batch.requests.map(({ inputs }) => inputs.at(-1)?.shape[1])
        if (rows.some((size) => size !== columns)) return new ServerError('INTERNAL', 'mixed')
        const size = columns + 1
        return {
          outputs: [
            int32('OUTPUT0', [batch.size, 1], new Array(batch.size).fill(columns)),
            int32('LOG_OUT', [batch.size, size], new Array(batch.size * size).fill(7)),
          ],
        }
      },
    })
    rig.run(1n, 's')
    rig.run(1n, '')
    rig.run(2n, 's')
    const steps = [rig.step(1n, ''), rig.step(2n, ''), rig.run(3n, 's')]
    rig.clock.settle()
    expect(steps.map((step) => step.numbers('OUTPUT0'))).toEqual([[3], [2], [1]])
  },
)

it('strings can be state', () => {
  const text = new TextEncoder()
  const state: SequenceState = {
    input_name: 'TEXT_IN',
    output_name: 'TEXT_OUT',
    data_type: 'TYPE_STRING',
    dims: [1],
  }
  const rig = createSequenceRig({
    sequence: { direct: {}, state: [state] },
    config: { output: [{ name: 'TEXT_OUT', data_type: 'TYPE_STRING', dims: [1] }] },
    compute(batch) {
      const before = unpackBytes(joinInput(batch, 1).data)
      const words = column(batch, 'INPUT0').map((value, i) =>
        text.encode(`${new TextDecoder().decode(before[i])}${value};`),
      )
      const shape = [batch.size, 1]
      return {
        outputs: [{ name: 'TEXT_OUT', datatype: 'BYTES', shape, data: packBytes(words) }],
      }
    },
  })
  const read = (id: bigint, flags: string, value: number): string => {
    const { data } = rig.run(id, flags, value).output('TEXT_OUT')
    return new TextDecoder().decode(unpackBytes(data)[0])
  }
  read(1n, 's', 10)
  expect(read(2n, 's', 200)).toBe('200;')
  expect(read(1n, '', 3)).toBe('10;3;')
  expect(read(2n, '', 4)).toBe('200;4;')
})

it('memory that only a GPU has is refused at load', () => {
  const state = [{ ...STATE, use_growable_memory: true }]
  expect(() => rigOf({ direct: {}, state })).toThrow(
    /'use_growable_memory' can only work with KIND_GPU/,
  )
})
