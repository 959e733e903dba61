import { describe, expect, it } from 'vitest'
import { answerPlus, CHAIN, createRig, ensembleConfig, int32, one } from './rig.ts'

describe('sequences', () => {
  it('flags and ids are forwarded to every step and named in the answer', async () => {
    const models = [one('a', 0), one('b', 0)]
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), models)
    const sent = send([int32('X', [1, 2])], { sequenceId: 42n, sequenceStart: true })
    for (const model of models) {
      expect(model.requests[0]).toMatchObject({
        sequenceId: 42n,
        sequenceStart: true,
        sequenceEnd: false,
      })
    }
    expect([...(sent.response.parameters ?? [])]).toEqual([
      ['sequence_id', 42n],
      ['sequence_start', true],
      ['sequence_end', false],
    ])
  })

  it('of no id are answered as number 0, ids beyond 2^63 as Triton wraps them, strings as they are', async () => {
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [
      one('a', 0),
      one('b', 0),
    ])
    const id = (sequenceId: bigint | string) =>
      send([int32('X', [1, 2])], { sequenceId }).response.parameters?.get('sequence_id')
    expect(id(0n)).toBe(0n)
    expect(id(18446744073709551615n)).toBe(-1n)
    expect(id('talk')).toBe('talk')
  })

  it('can be changed by a step for the steps after it', async () => {
    const a = one('a')
    const b = one('b')
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [a, b])
    const sent = send([int32('X', [1, 2])], { sequenceId: 1n, sequenceStart: true })
    a.open[0]?.respond({
      outputs: [int32('O', [1, 2])],
      parameters: new Map<string, bigint | boolean>([
        ['sequence_id', 9n],
        ['sequence_end', true],
      ]),
    })
    expect(b.open[0]).toMatchObject({ sequenceId: 9n, sequenceStart: false, sequenceEnd: true })
    answerPlus(b.open[0]!)
    expect(sent.response.parameters?.get('sequence_id')).toBe(9n)
  })

  it('cannot be changed to nonsense', async () => {
    const a = one('a')
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [a, one('b')])
    const sent = send([int32('X', [1, 2])])
    a.open[0]?.respond({
      outputs: [int32('O', [1, 2])],
      parameters: new Map([['sequence_start', 'yes']]),
    })
    expect(sent.error).toBe(
      "INVALID_ARG in ensemble 'ens', expected parameter 'sequence_start' to be TRITONSERVER_PARAMETER_BOOL",
    )
  })
})
