import { describe, expect, it } from 'vitest'
import type { ModelConfig, ModelInput } from '../../../core/config/types.ts'
import {
  answerPlus,
  createRig,
  ensembleConfig,
  int32,
  type ManualModel,
  manualModel,
  modelConfig,
  one,
  type StepSpec,
} from './rig.ts'

/** A cheap model first; a dear one where the condition says so. */
const ROUTE: readonly StepSpec[] = [
  ['cheap', { I: 'X' }, { O: 'Y' }],
  ['dear', { I: 'X' }, { O: 'Z' }],
]

const when = (
  conditions: Readonly<Record<number, string>>,
): NonNullable<ModelConfig['parameters']> =>
  Object.fromEntries(
    Object.entries(conditions).map(([step, text]) => [
      `nereid_step_${step}_if`,
      { string_value: text },
    ]),
  )

const route = (text: string): ModelConfig =>
  ensembleConfig(['X'], ['Y', 'Z'], ROUTE, { parameters: when({ 1: text }) })

describe('a step with a condition', () => {
  it.each([
    ['Y < 5', [9, 4], true],
    ['any Y < 5', [9, 4], true],
    ['any Y < 5', [9, 5], false],
    ['all Y < 5', [9, 4], false],
    ['all Y <= 5', [5, 4], true],
    ['Y == 9', [9, 4], true],
    ['all Y != 9', [9, 4], false],
    ['Y > 8.5', [9, 4], true],
    ['Y >= -1e3', [-2000, -3000], false],
    ['X==7', [9, 4], false],
  ])('%s, of %j: runs %j', async (text, values, runs) => {
    const models = [one('cheap', 0), one('dear', 100)]
    const { send } = await createRig(route(text), models)
    const sent = send([int32('X', values)])
    const dear = values.map((value) => value + 100)
    expect(sent.values).toEqual(runs ? { Y: values, Z: dear } : { Y: values })
    expect(models.map((model) => model.requests.length)).toEqual([1, runs ? 1 : 0])
  })

  it('waits for a tensor that it does not read', async () => {
    const models = [one('cheap'), one('dear', 100)]
    const { send } = await createRig(route('Y > 0'), models)
    const sent = send([int32('X', [1, 2])])
    expect(models[1]?.requests).toHaveLength(0)
    answerPlus(models[0]!.open[0]!)
    expect(sent.values).toEqual({ Y: [1, 2], Z: [101, 102] })
  })

  it('is not run for outputs that need neither it nor its tensor', async () => {
    const models = [one('cheap', 0), one('dear', 100)]
    const { send } = await createRig(route('X > 0'), models)
    expect(send([int32('X', [1, 2])], { outputs: ['Z'] }).values).toEqual({ Z: [101, 102] })
    expect(models.map((model) => model.requests.length)).toEqual([0, 1])
  })

  it('needs all of several conditions of steps before it', async () => {
    const steps: readonly StepSpec[] = [
      ['a', { I: 'X' }, { O: 't' }],
      ['b', { I: 't' }, { O: 'Y' }],
      ['c', { I: 'Y' }, { O: 'Z' }],
    ]
    const models = [one('a', 0), one('b', 1), one('c', 1)]
    const { send } = await createRig(
      ensembleConfig(['X'], ['Y', 'Z'], steps, { parameters: when({ 1: 't > 0', 2: 't > 5' }) }),
      models,
    )
    expect(send([int32('X', [0, 0])]).values).toEqual({})
    expect(send([int32('X', [1, 1])]).values).toEqual({ Y: [2, 2] })
    expect(send([int32('X', [6, 6])]).values).toEqual({ Y: [7, 7], Z: [8, 8] })
    // A step that needs what was left out was not asked, and nothing is held for it.
    expect(models.map((model) => model.requests.length)).toEqual([3, 2, 1])
    expect(models.map((model) => model.holds)).toEqual([0, 0, 0])
  })

  it('leaves out an optional input of the step that joins the branches', async () => {
    const merge = manualModel({
      config: modelConfig('merge', [], ['O'], {
        input: ['L', 'R'].map((name) => ({
          name,
          data_type: 'TYPE_INT32',
          dims: [2],
          optional: true,
        })),
      }),
      run: (request) => answerPlus(request),
    })
    const steps: readonly StepSpec[] = [
      ['a', { I: 'X' }, { O: 'l' }],
      ['b', { I: 'X' }, { O: 'r' }],
      ['merge', { L: 'l', R: 'r' }, { O: 'Y' }],
    ]
    const { send } = await createRig(
      ensembleConfig(['X'], ['Y'], steps, { parameters: when({ 0: 'X > 0', 1: 'all X <= 0' }) }),
      [one('a', 10), one('b', 20), merge],
    )
    expect(send([int32('X', [1, 1])]).values).toEqual({ Y: [11, 11] })
    expect(send([int32('X', [-1, -1])]).values).toEqual({ Y: [19, 19] })
    expect(merge.requests.map((request) => request.inputs.map((input) => input.name))).toEqual([
      ['L'],
      ['R'],
    ])
  })

  it('gives the memory of tensors back that nobody reads any more', async () => {
    const models = [one('cheap'), one('dear')]
    const { send } = await createRig(route('all Y > 100'), models)
    const sent = send([int32('X', [1, 2])])
    let released = 0
    models[0]!.open[0]!.respond({ outputs: [int32('O', [1, 2])], release: () => released++ })
    expect(released).toBe(0)
    sent.response.release?.()
    expect(released).toBe(1)
  })

  it('compares strings and truth values', async () => {
    const flags = (name: string, text: string, datatype: 'BYTES' | 'BOOL') => ({
      name,
      datatype,
      shape: [1],
      data:
        datatype === 'BOOL'
          ? Uint8Array.of(text === 'true' ? 1 : 0)
          : Uint8Array.of(text.length, 0, 0, 0, ...new TextEncoder().encode(text)),
    })
    for (const [datatype, yes, no, literal] of [
      ['BYTES', 'cat', 'dog', '"cat"'],
      ['BOOL', 'true', 'false', 'true'],
    ] as const) {
      const type = datatype === 'BOOL' ? 'TYPE_BOOL' : 'TYPE_STRING'
      const io = (name: string): ModelInput & { name: string } => ({
        name,
        data_type: type,
        dims: [1],
      })
      const model: ManualModel = manualModel({
        config: { name: 'm', max_batch_size: 0, input: [io('I')], output: [io('O')] },
        run: (request) => request.respond({ outputs: [{ ...request.inputs[0]!, name: 'O' }] }),
      })
      const config = ensembleConfig(['X'], ['Y'], [['m', { I: 'X' }, { O: 'Y' }]], {
        max_batch_size: 0,
        input: [io('X')],
        output: [io('Y')],
        parameters: when({ 0: `X == ${literal}` }),
      })
      const { send } = await createRig(config, [model])
      expect(send([flags('X', yes, datatype)]).response.outputs).toHaveLength(1)
      expect(send([flags('X', no, datatype)]).response.outputs).toHaveLength(0)
    }
  })
})

describe('a condition that makes no sense', () => {
  it.each([
    ['Y', 'parameter \'nereid_step_1_if\': "Y" is not like "any TENSOR == VALUE"'],
    ['Y ~ 3', '"Y ~ 3" is not like'],
    ['Q > 3', "'Q' is no tensor that is there before step 1"],
    ['Z > 3', "'Z' is no tensor that is there before step 1"],
    ['Y == "a"', "'Y' is a TYPE_INT32, not a string"],
    ['Y == true', "'Y' is a TYPE_INT32, not a boolean"],
  ])('%s fails the load', async (text, message) => {
    const loading = createRig(route(text), [one('cheap', 0), one('dear', 0)])
    await expect(loading).rejects.toThrow(message)
  })

  it.each([
    ['of blanks', `Y${' '.repeat(1e6)}~`],
    ['of comparisons', `Y${' == '.repeat(250_000)}`],
    ['with a number', `Y == ${'1'.repeat(1e6)}x`],
  ])('a million characters %s are not even looked at', async (_, text) => {
    const loading = createRig(route(text), [one('cheap', 0), one('dear', 0)])
    await expect(loading).rejects.toThrow(/has \d{7} characters, the limit is 1024$/)
  })

  it('of a step that is not there fails the load', async () => {
    const config = ensembleConfig(['X'], ['Y', 'Z'], ROUTE, { parameters: when({ 2: 'Y > 1' }) })
    const loading = createRig(config, [one('cheap', 0), one('dear', 0)])
    await expect(loading).rejects.toThrow('there are 2 steps, counted from 0')
  })
})
