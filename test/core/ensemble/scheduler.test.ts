import { describe, expect, it } from 'vitest'
import {
  answerPlus,
  CHAIN,
  createRig,
  DIAMOND,
  ensembleConfig,
  int32,
  join,
  type ManualModel,
  manualModel,
  modelConfig,
  one,
  type StepSpec,
} from './rig.ts'

describe('an ensemble', () => {
  it('passes tensors from step to step and answers with the last one', async () => {
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [
      one('a', 10),
      one('b', 5),
    ])
    expect(send([int32('X', [1, 2])]).values).toEqual({ Y: [16, 17] })
  })

  it('runs the branches of a diamond at the same time and joins them when both are there', async () => {
    const models = [one('a', 1), one('b'), one('c'), join()]
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], DIAMOND), models)
    const sent = send([int32('X', [1, 2])])
    const [, b, c, last] = models as [ManualModel, ManualModel, ManualModel, ManualModel]
    expect([b.open.length, c.open.length]).toEqual([1, 1])
    answerPlus(c.open[0]!, 100)
    expect(last.requests).toHaveLength(0)
    answerPlus(b.open[0]!, 10)
    expect(last.open).toHaveLength(1)
    expect(last.open[0]?.inputs.map((input) => input.name)).toEqual(['L', 'R'])
    answerPlus(last.open[0]!)
    expect(sent.values).toEqual({ Y: [12, 13] })
  })

  it('gives the steps the very bytes that came, without a copy', async () => {
    const models = [one('a'), one('b')]
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), models)
    const input = int32('X', [1, 2])
    const sent = send([input])
    const [a, b] = models as [ManualModel, ManualModel]
    expect(a.open[0]?.inputs[0]?.data).toBe(input.data)
    const given = int32('O', [3, 4])
    a.open[0]?.respond({ outputs: [given] })
    expect(b.open[0]?.inputs[0]?.data).toBe(given.data)
    b.open[0]?.respond({ outputs: [given] })
    expect(sent.response.outputs[0]?.data).toBe(given.data)
  })

  it('copies id, priority, timeout and parameters to every step', async () => {
    const models = [one('a', 0), one('b', 0)]
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), models)
    const parameters = new Map([['mood', 'good']])
    send([int32('X', [1, 2])], { id: 'r7', priority: 2, timeoutUs: 99, parameters })
    for (const model of models) {
      expect(model.requests[0]).toMatchObject({ id: 'r7', priority: 2, timeoutUs: 99, parameters })
    }
  })

  it('asks a step for the outputs that are mapped, no others', async () => {
    const a = manualModel({
      config: modelConfig('a', ['I'], ['O', 'P']),
      run: (request) => answerPlus(request),
    })
    const { send } = await createRig(
      ensembleConfig(['X'], ['Y'], [['a', { I: 'X' }, { P: 'Y' }]]),
      [a],
    )
    send([int32('X', [1, 2])])
    expect(a.requests[0]?.outputs).toEqual(['P'])
  })

  it('runs only the steps that a requested output needs', async () => {
    const models = [one('a', 1), one('b', 2), one('c', 3)]
    const { send } = await createRig(
      ensembleConfig(
        ['X'],
        ['Y', 'Z'],
        [
          ['a', { I: 'X' }, { O: 't' }],
          ['b', { I: 't' }, { O: 'Y' }],
          ['c', { I: 't' }, { O: 'Z' }],
        ],
      ),
      models,
    )
    expect(send([int32('X', [0, 0])], { outputs: ['Z'] }).values).toEqual({ Z: [4, 4] })
    expect(models.map((model) => model.requests.length)).toEqual([1, 0, 1])
    expect(send([int32('X', [0, 0])]).values).toEqual({ Y: [3, 3], Z: [4, 4] })
  })

  it('answers an output that is also read by another step, whichever is asked for', async () => {
    const { send } = await createRig(
      ensembleConfig(
        ['X'],
        ['Y', 'Z'],
        [
          ['a', { I: 'X' }, { O: 'Y' }],
          ['b', { I: 'Y' }, { O: 'Z' }],
        ],
      ),
      [one('a', 1), one('b', 2)],
    )
    expect(send([int32('X', [0, 0])], { outputs: ['Z'] }).values).toEqual({ Z: [3, 3] })
    expect(send([int32('X', [0, 0])], { outputs: ['Y'] }).values).toEqual({ Y: [1, 1] })
  })

  it('lists outputs in the order of Triton, whatever that of the request', async () => {
    const a = manualModel({
      config: modelConfig('a', ['I'], ['O', 'P']),
      run: (request) => answerPlus(request),
    })
    const { send } = await createRig(
      ensembleConfig(['A'], ['SUM', 'DIFF'], [['a', { I: 'A' }, { O: 'SUM', P: 'DIFF' }]]),
      [a],
    )
    for (const outputs of [null, ['SUM', 'DIFF'], ['DIFF', 'SUM']]) {
      expect(Object.keys(send([int32('A', [1, 2])], { outputs }).values)).toEqual(['DIFF', 'SUM'])
    }
  })

  it('gives one tensor to several inputs of one step', async () => {
    const models = [one('a', 1), join()]
    const { send } = await createRig(
      ensembleConfig(
        ['X'],
        ['Y'],
        [
          ['a', { I: 'X' }, { O: 't' }],
          ['join', { L: 't', R: 't' }, { O: 'Y' }],
        ],
      ),
      models,
    )
    const sent = send([int32('X', [1, 2])])
    const [, last] = models as [ManualModel, ManualModel]
    expect(last.open[0]?.inputs.map((input) => input.name)).toEqual(['L', 'R'])
    answerPlus(last.open[0]!)
    expect(sent.values).toEqual({ Y: [2, 3] })
  })

  it('runs a chain of 5,000 steps that answer at once without growing the stack', async () => {
    const steps = Array.from({ length: 5000 }, (_, i): StepSpec => {
      return ['a', { I: i === 0 ? 'X' : `t${i}` }, { O: i === 4999 ? 'Y' : `t${i + 1}` }]
    })
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], steps), [one('a', 1)])
    expect(send([int32('X', [0, 1])]).values).toEqual({ Y: [5000, 5001] })
  })
})

describe('an optional input', () => {
  const config = ensembleConfig(['X'], ['Y'], [['a', { I: 'X', J: 'W' }, { O: 'Y' }]], {
    input: [
      { name: 'X', data_type: 'TYPE_INT32', dims: [2] },
      { name: 'W', data_type: 'TYPE_INT32', dims: [2], optional: true },
    ],
  })
  const model = (): ManualModel =>
    manualModel({
      config: modelConfig('a', [], ['O'], {
        input: [
          { name: 'I', data_type: 'TYPE_INT32', dims: [2] },
          { name: 'J', data_type: 'TYPE_INT32', dims: [2], optional: true },
        ],
      }),
      run: (request) => answerPlus(request),
    })

  it('is passed on when it is given and left out when it is not', async () => {
    const a = model()
    const { send } = await createRig(config, [a])
    send([int32('X', [1, 2])])
    send([int32('X', [1, 2]), int32('W', [3, 4])])
    expect(a.requests.map((request) => request.inputs.map((input) => input.name))).toEqual([
      ['I'],
      ['I', 'J'],
    ])
  })
})

describe('statistics of an ensemble', () => {
  it('count its requests, the time they waited, and what its steps computed', async () => {
    const models = [one('a'), one('b')]
    const { send, clock, ensemble } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), models)
    send([int32('X', [1, 2, 3, 4])])
    const times = { computeInputNs: 1, computeInferNs: 20, computeOutputNs: 300 }
    for (const model of models) {
      const request = model.open[0]!
      clock.advance(1000)
      Object.assign(request.composing!, {
        computeInputNs: request.composing!.computeInputNs + times.computeInputNs,
        computeInferNs: request.composing!.computeInferNs + times.computeInferNs,
        computeOutputNs: request.composing!.computeOutputNs + times.computeOutputNs,
      })
      answerPlus(request)
    }
    const { stats } = ensemble
    expect(stats).toMatchObject({ inferenceCount: 2, executionCount: 1 })
    expect(stats.success).toMatchObject({ count: 1, ns: 2000 })
    expect(stats.queue).toMatchObject({ count: 1, ns: 0 })
    expect(stats.computeInput.ns).toBe(2)
    expect(stats.computeInfer.ns).toBe(40)
    expect(stats.computeOutput.ns).toBe(600)
    expect(stats.batches.get(2)?.computeInfer.ns).toBe(40)
  })
})

describe('a model that is replaced', () => {
  it('goes on for the requests that began with it and is left alone by those that come after', async () => {
    const before = [one('a'), one('b', 1)]
    const { send, replace } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), before)
    const old = send([int32('X', [0, 0])])
    const after = one('b', 100)
    replace(after)
    const fresh = send([int32('X', [0, 0])])
    expect(before[1]?.holds).toBe(1)
    for (const request of before[0]!.open) answerPlus(request)
    expect(old.values).toEqual({ Y: [1, 1] })
    expect(fresh.values).toEqual({ Y: [100, 100] })
    expect([before[1]?.holds, after.holds]).toEqual([0, 0])
  })
})

describe('closing an ensemble', () => {
  it('waits for what it took, then refuses', async () => {
    const models = [one('a'), one('b', 0)]
    const { send, ensemble, clock } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), models)
    const sent = send([int32('X', [1, 2])])
    let closed = false
    const retired = ensemble.retire().then(() => {
      closed = true
    })
    clock.settle()
    await Promise.resolve()
    expect(closed).toBe(false)
    answerPlus(models[0]!.open[0]!)
    expect(sent.finals).toBe(1)
    await retired
    expect(send([int32('X', [1, 2])]).error).toMatch(/^UNAVAILABLE /)
  })
})
