import { describe, expect, it } from 'vitest'
import { ServerError } from '../../../core/errors.ts'
import type { InferResponse } from '../../../core/infer.ts'
import type { Tensor } from '../../../core/tensor.ts'
import {
  CHAIN,
  createRig,
  DIAMOND,
  ensembleConfig,
  int32,
  join,
  type ManualModel,
  one,
} from './rig.ts'

/** A response that notes when its memory is given back. */
function lent(name: string, back: string[], tensors?: readonly Tensor[]): InferResponse {
  return { outputs: tensors ?? [int32('O', [1, 2])], release: () => void back.push(name) }
}

describe('the memory of a response', () => {
  it('is given back when the step that reads it has answered', async () => {
    const back: string[] = []
    const [a, b] = [one('a'), one('b')]
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [a, b])
    const sent = send([int32('X', [1, 2])])
    a.open[0]?.respond(lent('a', back))
    expect(back).toEqual([])
    b.open[0]?.respond(lent('b', back))
    expect(back).toEqual(['a'])
    sent.response.release?.()
    expect(back).toEqual(['a', 'b'])
  })

  it('is kept for the slowest of several readers', async () => {
    const back: string[] = []
    const models = [one('a'), one('b'), one('c'), join()]
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], DIAMOND), models)
    send([int32('X', [1, 2])])
    const [a, b, c] = models as [ManualModel, ManualModel, ManualModel]
    a.open[0]?.respond(lent('a', back))
    b.open[0]?.respond(lent('b', back))
    expect(back).toEqual([])
    c.open[0]?.respond(lent('c', back))
    expect(back).toEqual(['a'])
  })

  it('is kept as long as a later response is a view on it', async () => {
    const back: string[] = []
    const [a, b] = [one('a'), one('b')]
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [a, b])
    const sent = send([int32('X', [1, 2])])
    const given = int32('O', [1, 2])
    a.open[0]?.respond(lent('a', back, [given]))
    b.open[0]?.respond({ outputs: [{ ...given, data: given.data.subarray(0) }] })
    expect(back).toEqual([])
    sent.response.release?.()
    expect(back).toEqual(['a'])
  })

  it('that is answered and read by another step is kept for both', async () => {
    const back: string[] = []
    const [a, b] = [one('a'), one('b')]
    const { send } = await createRig(
      ensembleConfig(
        ['X'],
        ['Y', 'Z'],
        [
          ['a', { I: 'X' }, { O: 'Y' }],
          ['b', { I: 'Y' }, { O: 'Z' }],
        ],
      ),
      [a, b],
    )
    const sent = send([int32('X', [1, 2])])
    a.open[0]?.respond(lent('a', back))
    b.open[0]?.respond(lent('b', back))
    expect(back).toEqual([])
    sent.response.release?.()
    expect(back.sort()).toEqual(['a', 'b'])
  })

  it('is given back at once when nobody needs it', async () => {
    const back: string[] = []
    const models = [one('a'), one('b'), one('c'), join()]
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], DIAMOND), models)
    const sent = send([int32('X', [1, 2])])
    const [a, b, c] = models as [ManualModel, ManualModel, ManualModel]
    a.open[0]?.respond(lent('a', back))
    b.open[0]?.respond(lent('b', back))
    c.open[0]?.respond(new ServerError('INTERNAL', 'broken'))
    expect(sent.finals).toBe(1)
    expect(back.sort()).toEqual(['a', 'b'])
  })

  it('of a step that answers after its request failed is given back', async () => {
    const back: string[] = []
    const models = [one('a'), one('b'), one('c'), join()]
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], DIAMOND), models)
    send([int32('X', [1, 2])])
    const [a, b, c] = models as [ManualModel, ManualModel, ManualModel]
    a.open[0]?.respond(lent('a', back))
    c.open[0]?.respond(new ServerError('INTERNAL', 'broken'))
    b.open[0]?.respond(lent('b', back))
    expect(back.sort()).toEqual(['a', 'b'])
  })
})
