import { describe, expect, it } from 'vitest'
import { checkEnsemble } from '../../../core/ensemble/check.ts'
import { ServerError } from '../../../core/errors.ts'
import type { InferResponse } from '../../../core/infer.ts'
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
  type StepSpec,
  valuesOf,
} from './rig.ts'

const DECOUPLED = { model_transaction_policy: { decoupled: true } }
const stream = (name: string): ManualModel =>
  manualModel({ config: modelConfig(name, ['I'], ['O'], DECOUPLED) })

describe('an ensemble with a decoupled step', () => {
  it('is decoupled itself', async () => {
    const { ensemble } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [
      stream('a'),
      one('b'),
    ])
    expect(ensemble.config.model_transaction_policy).toEqual({ decoupled: true })
    const plain = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [one('a'), one('b')])
    expect(plain.ensemble.config.model_transaction_policy).toEqual({ decoupled: false })
  })

  it('gives one response for each of the step, through the steps after it', async () => {
    const a = stream('a')
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [a, one('b', 1)])
    const sent = send([int32('X', [0, 0])])
    const [request] = a.open
    for (let i = 1; i <= 3; i++) request?.respond({ outputs: [int32('O', [i, i])] }, false)
    expect(sent.finals).toBe(0)
    request?.respond(null)
    const responses = sent.answers.slice(0, 3) as InferResponse[]
    expect(responses.map(({ outputs }) => valuesOf(outputs[0]))).toEqual([
      [2, 2],
      [3, 3],
      [4, 4],
    ])
    expect(sent.answers.slice(3)).toEqual([null])
    expect(sent.finals).toBe(1)
  })

  it('may give none', async () => {
    const a = stream('a')
    const { send, ensemble } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [
      a,
      one('b', 1),
    ])
    const sent = send([int32('X', [0, 0])])
    a.open[0]?.respond(null)
    expect(sent.answers).toEqual([null])
    expect(ensemble.stats.success.count).toBe(1)
  })

  it('gives its last response with the final flag', async () => {
    const a = stream('a')
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [a, one('b', 1)])
    const sent = send([int32('X', [0, 0])])
    a.open[0]?.respond({ outputs: [int32('O', [1, 1])] })
    expect(sent.values).toEqual({ Y: [2, 2] })
    expect(sent.finals).toBe(1)
  })

  it('pairs responses of one step with each other, whichever branch is faster', async () => {
    const steps: readonly StepSpec[] = [
      ['a', { I: 'X' }, { O: 's' }],
      ['b', { I: 's' }, { O: 't' }],
      ['join', { L: 's', R: 't' }, { O: 'Y' }],
    ]
    const models = [
      stream('a'),
      one('b'),
      manualModel({
        config: modelConfig('join', ['L', 'R'], ['O']),
        run(request) {
          const [left, right] = request.inputs.map(valuesOf)
          request.respond({
            outputs: [
              int32(
                'O',
                left!.map((value, i) => value * right![i]!),
              ),
            ],
          })
        },
      }),
    ]
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], steps), models)
    const sent = send([int32('X', [0, 0])])
    const [a, b] = models as [ManualModel, ManualModel]
    const [source] = a.open
    source?.respond({ outputs: [int32('O', [3, 3])] }, false)
    source?.respond({ outputs: [int32('O', [5, 5])] })
    const [first, second] = b.requests
    answerPlus(second!)
    answerPlus(first!)
    expect((sent.answers as InferResponse[]).map(({ outputs }) => valuesOf(outputs[0]))).toEqual([
      [25, 25],
      [9, 9],
    ])
    expect(sent.finals).toBe(1)
  })

  it('ends with the error of a step, after the responses that went before', async () => {
    const a = stream('a')
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [a, one('b', 1)])
    const sent = send([int32('X', [0, 0])])
    a.open[0]?.respond({ outputs: [int32('O', [1, 1])] }, false)
    a.open[0]?.respond(new ServerError('INTERNAL', 'out of ink'))
    expect(sent.answers).toHaveLength(2)
    expect(sent.error).toBe("INTERNAL in ensemble 'ens', out of ink")
    expect(sent.finals).toBe(1)
  })
})

describe('responses of different decoupled models cannot be paired', () => {
  const configs = new Map(
    ['a', 'b'].map((name) => [name, modelConfig(name, ['I'], ['O'], DECOUPLED)]),
  )
  const check = (steps: readonly StepSpec[], outputs: readonly string[]): boolean =>
    checkEnsemble({
      config: ensembleConfig(['X'], outputs, steps),
      composing: (name) => configs.get(name) ?? modelConfig(name, ['L', 'R'], ['O']),
    })
  const BOTH: readonly StepSpec[] = [
    ['a', { I: 'X' }, { O: 's' }],
    ['b', { I: 'X' }, { O: 't' }],
  ]

  it('by a step', () => {
    expect(() => check([...BOTH, ['join', { L: 's', R: 't' }, { O: 'Y' }]], ['Y'])).toThrow(
      "in ensemble ens, step of model 'join' receives inputs originated from different decoupled models",
    )
    expect(() => check([...BOTH, ['join', { L: 's', R: 'X' }, { O: 'Y' }]], ['Y', 't'])).toThrow(
      'receives inputs originated from different decoupled models',
    )
  })

  it('by the answer', () => {
    expect(() => check(BOTH, ['s', 't'])).toThrow(
      "in ensemble ens, step of model 'ens' receives inputs originated from different decoupled models",
    )
  })

  it('but follow each other', () => {
    expect(
      check(
        [
          ['a', { I: 'X' }, { O: 's' }],
          ['b', { I: 's' }, { O: 'Y' }],
        ],
        ['Y'],
      ),
    ).toBe(true)
  })
})
