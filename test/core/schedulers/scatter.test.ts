import { describe, expect, it } from 'vitest'
import type { ModelConfig } from '../../../core/config/types.ts'
import type { Datatype } from '../../../core/tensor.ts'
import { type Compute, joinInput } from '../../helpers/fake-backend.ts'
import { createRig, IDENTITY } from './rig.ts'

const RAGGED: ModelConfig = {
  ...IDENTITY,
  dynamic_batching: {},
  input: [{ name: 'INPUT0', data_type: 'TYPE_INT32', dims: [-1], allow_ragged_batch: true }],
  batch_output: [
    {
      target_name: ['OUTPUT0'],
      kind: 'BATCH_SCATTER_WITH_INPUT_SHAPE',
      source_input: ['INPUT0'],
    },
  ],
}

/** Everything end to end, without rows; `cut` bytes are left out. */
const flat =
  (cut = 0, datatype: Datatype = 'INT32'): Compute =>
  (batch) => {
    const { data } = joinInput(batch, 0)
    const kept = data.subarray(0, data.length - cut)
    return { outputs: [{ name: 'OUTPUT0', datatype, shape: [kept.length / 4], data: kept }] }
  }

const shapeOf = (sent: ReturnType<ReturnType<typeof createRig>['send']>) =>
  sent.response().outputs[0]?.shape

describe('an output that has the shape of an input', () => {
  it('goes back to requests of different lengths that ran together', () => {
    const rig = createRig({ config: RAGGED, compute: flat() })
    const sent = [
      rig.send('a', { columns: 3, value: 1 }),
      rig.send('b', { columns: 1, value: 2, rows: 2 }),
      rig.send('c', { columns: 4, value: 3 }),
    ]
    rig.clock.settle()
    expect(rig.batches).toEqual([['a', 'b', 'c']])
    expect(sent.map(shapeOf)).toEqual([
      [1, 3],
      [2, 1],
      [1, 4],
    ])
    expect(sent.map(({ values }) => values)).toEqual([
      [1, 1, 1],
      [2, 2],
      [3, 3, 3, 3],
    ])
  })

  it('has its shape for a request alone too', () => {
    const rig = createRig({ config: RAGGED, compute: flat() })
    const sent = rig.send('a', { columns: 3, rows: 2, value: 1 })
    rig.clock.settle()
    expect(shapeOf(sent)).toEqual([2, 3])
  })

  it('keeps the dimensions that the config fixes', () => {
    const output = [{ name: 'OUTPUT0', data_type: 'TYPE_INT32' as const, dims: [2] }]
    const config = { ...RAGGED, output }
    const rig = createRig({ config, compute: flat() })
    const sent = rig.send('a', { columns: 1, rows: 2, value: 1 })
    rig.clock.settle()
    expect(sent.error).toContain('expected 16 for requests of [2,2]')
  })

  it('of strings is cut by their number', () => {
    const rig = createRig({
      config: { ...RAGGED, output: [{ name: 'OUTPUT0', data_type: 'TYPE_STRING', dims: [-1] }] },
      // Numbers of 0 are empty strings.
      compute: flat(0, 'BYTES'),
    })
    const sent = [rig.send('a', { columns: 2 }), rig.send('b', { columns: 3 })]
    rig.clock.settle()
    expect(sent.map((one) => one.response().outputs[0]?.data.length)).toEqual([8, 12])
  })

  it('that is not exactly as large as the requests ask for is an error of all of them', () => {
    const rig = createRig({ config: RAGGED, compute: flat(4) })
    const sent = [rig.send('a', { columns: 3 }), rig.send('b', { columns: 1 })]
    rig.clock.settle()
    expect(sent.map(({ error }) => error)).toEqual(
      sent.map(
        () => "INTERNAL output 'OUTPUT0' has 12 bytes, expected 16 for requests of [1,3], [1,1]",
      ),
    )
  })
})
