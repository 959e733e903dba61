import { describe, expect, it } from 'vitest'
import { ServerError } from '../../../core/errors.ts'
import { US } from './rig.ts'
import { CONTROLS, column, createSequenceRig, type Step } from './sequence-rig.ts'

const DIRECT = { direct: {}, control_input: CONTROLS }

function controlsOf(step: Step): string {
  const shown = ['START', 'END', 'READY'].map((name) => step.numbers(name)[0]).join('')
  return `${shown} ${new BigUint64Array(step.output('CORRID').data.slice().buffer)[0]}`
}

describe('the direct strategy', () => {
  it('tells the model where in its sequence each request stands', () => {
    const rig = createSequenceRig({ sequence: DIRECT })
    expect(controlsOf(rig.run(42n, 's'))).toBe('101 42')
    expect(controlsOf(rig.run(42n, ''))).toBe('001 42')
    expect(controlsOf(rig.run(42n, 'e'))).toBe('011 42')
    expect(controlsOf(rig.run(7n, 'se'))).toBe('111 7')
  })

  it('keeps a sequence in its row and fills the rows below with null requests', () => {
    const rows: (readonly number[])[] = []
    const rig = createSequenceRig({
      sequence: DIRECT,
      compute(batch) {
        rows.push(column(batch, 'READY'), column(batch, 'INPUT0'))
        return { outputs: batch.requests[0]!.inputs.map((tensor) => shown(tensor, batch.size)) }
      },
    })
    rig.step(1n, 's', 11)
    rig.step(2n, 's', 22)
    rig.run(3n, 's', 33)
    rig.run(3n, '', 34)
    expect(rows).toEqual([
      [1, 1, 1],
      [11, 22, 33],
      [0, 0, 1],
      [0, 0, 34],
    ])
    expect([...rig.stats.batches.keys()]).toEqual([3])
    expect(rig.stats.inferenceCount).toBe(4)
    expect(rig.stats.executionCount).toBe(2)
  })

  it('gives each row its own part of the outputs, nothing to null requests', () => {
    const rig = createSequenceRig({ sequence: DIRECT })
    const first = [rig.step(1n, 's', 5), rig.step(2n, 's', 6), rig.run(3n, 's', 7)]
    expect(first.map((step) => step.numbers('OUTPUT0'))).toEqual([[5], [6], [7]])
    expect(rig.run(2n, '', 8).numbers('OUTPUT0')).toEqual([8])
  })

  it('uses the lowest free slot, spread over the instances', () => {
    const rig = createSequenceRig({ sequence: DIRECT, count: 2 })
    for (const id of [1n, 2n, 3n, 4n]) rig.run(id, 's')
    const sizes = rig.instances.map(({ batches }) => batches.map(({ size }) => size))
    expect(sizes).toEqual([
      [1, 2],
      [1, 2],
    ])
  })

  it('has one slot per instance for a model without batching', () => {
    const rig = createSequenceRig({ sequence: DIRECT, config: { max_batch_size: 0 } })
    rig.run(1n, 's')
    const waits = rig.run(2n, 's')
    expect(waits.answers).toEqual([])
    rig.run(1n, 'e')
    expect(waits.error).toBe('')
    expect(waits.answers).toHaveLength(1)
  })

  it('runs one step of a sequence after the other', () => {
    const rig = createSequenceRig({ sequence: DIRECT, paused: true })
    rig.step(1n, 's', 1)
    rig.step(1n, '', 2)
    rig.run(1n, 'e', 3)
    const ran: (readonly string[])[] = []
    const [instance] = rig.instances
    for (let i = 0; i < 3; i++) {
      ran.push(instance?.current.map((request) => request.id) ?? [])
      instance?.finish()
      rig.clock.settle()
    }
    expect(ran).toEqual([['1:1'], ['1:2'], ['1:3']])
  })

  it('waits for the wanted share of slots, at most the queue delay', () => {
    const direct = { max_queue_delay_microseconds: 100, minimum_slot_utilization: 0.5 }
    const rig = createSequenceRig({ sequence: { direct, control_input: CONTROLS } })
    const alone = rig.run(1n, 's')
    rig.clock.advance(99 * US)
    expect(alone.answers).toEqual([])
    rig.clock.advance(2 * US)
    expect(alone.answers).toHaveLength(1)
    const together = [rig.step(1n, ''), rig.run(2n, 's')]
    expect(together.map(({ answers }) => answers.length)).toEqual([1, 1])
  })

  it('does not wait when only a delay is given', () => {
    const direct = { max_queue_delay_microseconds: 100 }
    const rig = createSequenceRig({ sequence: { direct, control_input: CONTROLS } })
    expect(rig.run(1n, 's').answers).toHaveLength(1)
  })

  it('leaves a row out for a batch that its shape does not fit', () => {
    const config = {
      input: [{ name: 'INPUT0', data_type: 'TYPE_INT32' as const, dims: [-1] }],
    }
    const rig = createSequenceRig({ sequence: DIRECT, config })
    const wide = { inputs: [{ ...tensor([1, 2]), data: new Uint8Array(8) }] }
    const steps = [rig.step(1n, 's', 1), rig.step(2n, 's', 2, wide), rig.run(3n, 's', 3)]
    expect(steps.map(({ answers }) => answers.length)).toEqual([1, 1, 1])
    expect(rig.instances[0]?.batches.map(({ ids }) => ids)).toEqual([
      ['1:1', '', '3:3'],
      ['', '2:2'],
    ])
  })

  it('fails the steps of a failed batch and goes on with their sequences', () => {
    const rig = createSequenceRig({ sequence: DIRECT })
    rig.step(1n, 's')
    rig.run(3n, 's')
    rig.instances[0]?.failNext(new ServerError('INTERNAL', 'planned'))
    expect(rig.run(3n, '').error).toBe('INTERNAL planned')
    expect(rig.run(3n, 'e').error).toBe('')
    expect(rig.stats.failures).toMatchObject({ BACKEND: 1 })
    expect(rig.stats.fail.count).toBe(1)
  })
})

function tensor(shape: readonly number[]) {
  return { name: 'INPUT0', datatype: 'INT32' as const, shape }
}

/** An output of zeroes in the shape of the batch. */
function shown(input: { name: string; datatype: 'INT32' } | object, size: number) {
  const { name, datatype, data } = input as {
    name: string
    datatype: 'INT32'
    data: Uint8Array
  }
  return {
    name: name.replace('INPUT', 'OUTPUT'),
    datatype,
    shape: [size, 1],
    data: new Uint8Array(size * data.length),
  }
}
