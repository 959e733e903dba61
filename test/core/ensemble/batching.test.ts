import { describe, expect, it } from 'vitest'
import {
  answerPlus,
  CHAIN,
  createRig,
  ensembleConfig,
  int32,
  type ManualModel,
  manualModel,
  modelConfig,
  one,
} from './rig.ts'

describe('batches', () => {
  const batchless = (name: string): ManualModel =>
    manualModel({
      config: modelConfig(name, ['I'], ['O'], { max_batch_size: 0 }),
      run: (request) => answerPlus(request, 1),
    })

  it('of several rows go through batching steps as they are', async () => {
    const models = [one('a', 1), one('b', 1)]
    const { send, ensemble } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), models)
    const sent = send([int32('X', [1, 2, 3, 4, 5, 6])])
    expect(sent.response.outputs[0]?.shape).toEqual([3, 2])
    expect(models.map((model) => model.requests[0]?.batchSize)).toEqual([3, 3])
    expect(ensemble.stats.inferenceCount).toBe(3)
  })

  it('of one row lose their batch dimension on the way into a model without one, and get it back', async () => {
    const models = [batchless('a'), one('b', 0)]
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), models)
    const sent = send([int32('X', [1, 2])])
    expect(models.map((model) => model.requests[0]?.inputs[0]?.shape)).toEqual([[2], [1, 2]])
    expect(sent.response.outputs[0]?.shape).toEqual([1, 2])
    const last = await createRig(ensembleConfig(['X'], ['Y'], [['a', { I: 'X' }, { O: 'Y' }]]), [
      batchless('a'),
    ])
    expect(last.send([int32('X', [1, 2])]).response.outputs[0]?.shape).toEqual([1, 2])
  })

  it('of several rows are refused by a model without a batch dimension', async () => {
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [
      batchless('a'),
      one('b', 0),
    ])
    expect(send([int32('X', [1, 2, 3, 4])]).error).toBe(
      "INVALID_ARG in ensemble 'ens', [request id: <id_unknown>] unexpected shape for input 'I' for model 'a'. Expected [2], got [2,2]. ",
    )
  })

  it('are made of one row for a batching step of an ensemble without batching', async () => {
    const model = one('a', 1)
    const { send } = await createRig(
      ensembleConfig(['X'], ['Y'], [['a', { I: 'X' }, { O: 'Y' }]], { max_batch_size: 0 }),
      [model],
    )
    const sent = send([int32('X', [1, 2], [2])])
    expect(model.requests[0]?.inputs[0]?.shape).toEqual([1, 2])
    expect(sent.response.outputs[0]?.shape).toEqual([2])
  })

  it('go through as a whole where the ensemble spells the batch dimension out', async () => {
    const io = { data_type: 'TYPE_INT32' as const, dims: [-1, 2] }
    const model = one('a', 1)
    const { send } = await createRig(
      ensembleConfig(['X'], ['Y'], [['a', { I: 'X' }, { O: 'Y' }]], {
        max_batch_size: 0,
        input: [{ name: 'X', ...io }],
        output: [{ name: 'Y', ...io }],
      }),
      [model],
    )
    expect(send([int32('X', [1, 2, 3, 4])]).response.outputs[0]?.shape).toEqual([2, 2])
    expect(model.requests[0]?.batchSize).toBe(2)
  })

  it('keep their rows when an output is reshaped', async () => {
    const { send } = await createRig(
      ensembleConfig(['X'], ['Y'], [['a', { I: 'X' }, { O: 'Y' }]], {
        output: [{ name: 'Y', data_type: 'TYPE_INT32', dims: [1, 2], reshape: { shape: [2] } }],
      }),
      [one('a', 0)],
    )
    expect(send([int32('X', [1, 2, 3, 4])]).response.outputs[0]?.shape).toEqual([2, 1, 2])
  })
})
