import { describe, expect, it } from 'vitest'
import { ServerError } from '../../../core/errors.ts'
import {
  answerPlus,
  CHAIN,
  createRig,
  DIAMOND,
  ensembleConfig,
  int32,
  join,
  manualModel,
  modelConfig,
  one,
} from './rig.ts'

describe('a step that fails', () => {
  it('fails the request with its error in the name of the ensemble, and starts nothing more', async () => {
    const models = [one('a'), one('b')]
    const { send, ensemble } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), models)
    const sent = send([int32('X', [1, 2])])
    models[0]?.open[0]?.respond(new ServerError('UNAVAILABLE', 'Exceeds maximum queue size'))
    expect(sent.error).toBe("UNAVAILABLE in ensemble 'ens', Exceeds maximum queue size")
    expect(models[1]?.requests).toHaveLength(0)
    expect(ensemble.stats.failures).toMatchObject({ OTHER: 1, CANCELED: 0 })
    expect(ensemble.inflight).toBe(0)
    expect(models.map((model) => model.holds)).toEqual([0, 0])
  })

  it('waits for what runs beside it before the one answer goes out', async () => {
    const models = [one('a', 0), one('b'), one('c'), join()]
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], DIAMOND), models)
    const sent = send([int32('X', [1, 2])])
    models[1]?.open[0]?.respond(new ServerError('INVALID_ARG', 'first'))
    expect(sent.answers).toHaveLength(0)
    models[2]?.open[0]?.respond(new ServerError('INVALID_ARG', 'second'))
    expect(sent.error).toBe("INVALID_ARG in ensemble 'ens', first")
    expect(sent.finals).toBe(1)
    expect(models[3]?.requests).toHaveLength(0)
  })

  it('names the model that refused the shape it was given', async () => {
    const config = modelConfig('b', ['I'], ['O'], {
      input: [{ name: 'I', data_type: 'TYPE_INT32', dims: [-1] }],
    })
    const loose = manualModel({
      config: modelConfig('a', ['I'], ['O'], {
        output: [{ name: 'O', data_type: 'TYPE_INT32', dims: [-1] }],
      }),
      run: (request) => request.respond({ outputs: [int32('O', [1, 2, 3], [3])] }),
    })
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [
      loose,
      manualModel({ config }),
    ])
    expect(send([int32('X', [1, 2])], { id: 'q' }).error).toMatch(
      /^INVALID_ARG in ensemble 'ens', \[request id: q\] .*input 'I'/,
    )
  })

  it('leaves outputs out that it does not give, and runs the next step where they are optional', async () => {
    const a = manualModel({
      config: modelConfig('a', ['I'], ['O', 'P']),
      run: (request) => request.respond({ outputs: [int32('O', [1, 2])] }),
    })
    const b = manualModel({
      config: modelConfig('b', ['I', 'J'], ['O'], {
        input: [
          { name: 'I', data_type: 'TYPE_INT32', dims: [2] },
          { name: 'J', data_type: 'TYPE_INT32', dims: [2], optional: true },
        ],
      }),
      run: (request) => answerPlus(request, 1),
    })
    const { send } = await createRig(
      ensembleConfig(
        ['X'],
        ['Y', 'Z'],
        [
          ['a', { I: 'X' }, { O: 't', P: 'Z' }],
          ['b', { I: 't', J: 'Z' }, { O: 'Y' }],
        ],
      ),
      [a, b],
    )
    expect(send([int32('X', [1, 2])]).values).toEqual({ Y: [2, 3] })
    expect(b.requests[0]?.inputs.map((input) => input.name)).toEqual(['I'])
  })

  it('is a deadlock when it ends without any response', async () => {
    const models = [one('a'), one('b')]
    const { send, ensemble } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), models)
    const sent = send([int32('X', [1, 2])], { id: 'r' })
    models[0]?.open[0]?.respond(null)
    expect(sent.error).toBe(
      "INVALID_ARG in ensemble 'ens', [request id: r] unexpected deadlock, at least one output is not set while no more ensemble steps can be made",
    )
    expect(ensemble.stats.fail.count).toBe(1)
  })

  it('is an error of the request when its model does not serve any more', async () => {
    const { send, models, replace, ensemble } = await createRig(
      ensembleConfig(['X'], ['Y'], CHAIN),
      [one('a', 0), one('b', 0)],
    )
    expect(ensemble.ready).toBe(true)
    models.delete('b')
    replace(one('a', 0))
    expect(ensemble.ready).toBe(false)
    expect(send([int32('X', [1, 2])]).error).toBe(
      "NOT_FOUND in ensemble 'ens', Request for unknown model: 'b' is not found",
    )
  })
})

describe('cancelling', () => {
  it('cancels the steps that run and answers when they have ended', async () => {
    const models = [one('a', 0), one('b'), one('c'), join()]
    const { send, ensemble } = await createRig(ensembleConfig(['X'], ['Y'], DIAMOND), models)
    const sent = send([int32('X', [1, 2])])
    sent.request.cancel()
    expect(models[1]?.open[0]?.cancelled).toBe(true)
    expect(models[2]?.open[0]?.cancelled).toBe(true)
    expect(sent.answers).toHaveLength(0)
    models[1]?.open[0]?.respond(new ServerError('CANCELLED', 'request was cancelled'))
    answerPlus(models[2]!.open[0]!)
    expect(sent.error).toBe("CANCELLED in ensemble 'ens', request was cancelled")
    expect(sent.finals).toBe(1)
    expect(models[3]?.requests).toHaveLength(0)
    expect(ensemble.stats.failures).toMatchObject({ CANCELED: 1, OTHER: 0 })
    expect(models.map((model) => model.holds)).toEqual([0, 0, 0, 0])
  })

  it('before anything runs starts nothing', async () => {
    const models = [one('a', 0), one('b', 0)]
    const { send, ensemble } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), models)
    const { request } = send([int32('X', [1, 2])])
    request.settled = false
    request.cancel()
    ensemble.submit(request)
    expect(models[0]?.requests).toHaveLength(1)
    expect(ensemble.stats.failures.CANCELED).toBe(1)
  })
})
