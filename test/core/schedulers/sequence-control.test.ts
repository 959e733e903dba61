import { describe, expect, it } from 'vitest'
import type { ConfigDatatype, SequenceControl } from '../../../core/config/types.ts'
import { createSequenceControls } from '../../../core/schedulers/sequence-control.ts'
import type { Tensor } from '../../../core/tensor.ts'

function controls(given: readonly SequenceControl[], maxBatchSize = 4) {
  return createSequenceControls({
    max_batch_size: maxBatchSize,
    sequence_batching: {
      control_input: given.map((control) => ({
        name: (control.kind ?? '').slice('CONTROL_SEQUENCE_'.length),
        control: [control],
      })),
    },
  })
}

function bytesOf(tensors: readonly Tensor[]) {
  return tensors.map(({ name, datatype, data }) => [name, datatype, [...data]])
}

describe('control tensors', () => {
  it('tell START, END and READY in the values of the config, whatever their type', () => {
    const made = controls([
      { kind: 'CONTROL_SEQUENCE_START', int32_false_true: [-1, 258] },
      { kind: 'CONTROL_SEQUENCE_END', fp32_false_true: [0, 1.5] },
      { kind: 'CONTROL_SEQUENCE_READY', bool_false_true: [false, true] },
    ])
    expect(bytesOf(made.ofStep(true, false, null))).toEqual([
      ['START', 'INT32', [2, 1, 0, 0]],
      ['END', 'FP32', [0, 0, 0, 0]],
      ['READY', 'BOOL', [1]],
    ])
    expect(bytesOf(made.ofStep(false, true, null))).toEqual([
      ['START', 'INT32', [255, 255, 255, 255]],
      ['END', 'FP32', [0, 0, 0xc0, 0x3f]],
      ['READY', 'BOOL', [1]],
    ])
    expect(bytesOf(made.notReady).at(-1)).toEqual(['READY', 'BOOL', [0]])
  })

  it('may swap the meaning of true and false', () => {
    const made = controls([{ kind: 'CONTROL_SEQUENCE_READY', bool_false_true: [true, false] }])
    expect(bytesOf(made.ofStep(false, false, null))).toEqual([['READY', 'BOOL', [0]]])
    expect(bytesOf(made.notReady)).toEqual([['READY', 'BOOL', [1]]])
  })

  it('have one element per row, with the batch dimension only where the model batches', () => {
    const control: SequenceControl = { kind: 'CONTROL_SEQUENCE_START', int32_false_true: [0, 1] }
    expect(controls([control]).notReady[0]?.shape).toEqual([1, 1])
    expect(controls([control], 0).notReady[0]?.shape).toEqual([1])
  })

  it.each([
    ['TYPE_UINT64', 2n ** 64n - 2n, [254, 255, 255, 255, 255, 255, 255, 255]],
    ['TYPE_INT64', 5n, [5, 0, 0, 0, 0, 0, 0, 0]],
    ['TYPE_UINT32', 2n ** 33n + 7n, [7, 0, 0, 0]],
    ['TYPE_INT32', 2n ** 32n - 1n, [255, 255, 255, 255]],
    ['TYPE_UINT64', 'ab', [2, 0, 0, 0, 97, 98, 0, 0]],
    ['TYPE_STRING', 'ab', [2, 0, 0, 0, 97, 98]],
    ['TYPE_STRING', 0n, [0, 0, 0, 0]],
  ] as const)('give the id as %s, cut to its size', (type, id, bytes) => {
    const made = controls([
      { kind: 'CONTROL_SEQUENCE_CORRID', data_type: type satisfies ConfigDatatype },
    ])
    expect([...(made.idTensor(id)?.data ?? [])]).toEqual(bytes)
  })

  it('are none for a model that asks for none', () => {
    const made = controls([])
    expect(made.idTensor(1n)).toBeNull()
    expect(made.ofStep(true, true, null)).toEqual([])
  })
})
