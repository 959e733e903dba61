import { describe, expect, test } from 'vitest'
import { DEFAULT_FIL_BATCH, filBackend } from '../../../core/backend/fil.ts'
import type { Instance, ModelSource } from '../../../core/backend/types.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import type { ServerError } from '../../../core/errors.ts'
import type { Tensor } from '../../../core/tensor.ts'
import { execute, floats, floatsOf, outputOf, requestOf, resultOf } from '../../contract/backend.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'
import { FIXTURES, type TreeCase, treeCases } from '../trees/cases.ts'

const cases = treeCases(FIXTURES)
const caseOf = (name: string): TreeCase => cases.find((one) => one.name === name) as TreeCase
const placement = { name: 'fil_0', kind: 'KIND_CPU', device: 0 } as const

const parameters = (values: Record<string, string>): ModelConfig => ({
  parameters: Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, { string_value: value }]),
  ),
})

function sourceOf(name: string, config: ModelConfig = {}, settings: [string, string][] = []) {
  const { bytes, format } = caseOf(name)
  const reads: string[] = []
  const typed = { ...parameters({ model_type: format, ...plain(config) }) }
  const source = {
    name: 'forest',
    version: 1,
    versionPath: 'forest/1',
    config: { ...config, ...typed },
    settings: new Map(settings),
    store: {
      read: async (path: string) => {
        reads.push(path)
        return bytes
      },
    },
  } as unknown as ModelSource
  return { source, reads }
}

const plain = ({ parameters = {} }: ModelConfig): Record<string, string> =>
  Object.fromEntries(
    Object.entries(parameters).map(([key, { string_value = '' }]) => [key, string_value]),
  )

async function open(name: string, config?: ModelConfig) {
  const clock = createFakeClock()
  const { source } = sourceOf(name, config)
  const model = await filBackend({ clock }).load(source)
  return { clock, model, instance: await model.instance(placement, source.config) }
}

/** Rows `from` to `to` of a case as a request. */
function rowsOf({ input, rows }: TreeCase, from: number, to: number): Tensor {
  const features = input.length / rows
  const data = floats([...input.subarray(from * features, to * features)])
  return { name: 'input__0', datatype: 'FP32', shape: [to - from, features], data }
}

async function answer(instance: Instance, one: TreeCase): Promise<number[][]> {
  const output = outputOf(
    await execute(instance, [requestOf([rowsOf(one, 0, one.rows)], one.rows)]),
    'output__0',
  )
  const columns = output.shape[1] as number
  const values = floatsOf(output)
  return Array.from({ length: one.rows }, (_, i) => values.slice(i * columns, (i + 1) * columns))
}

describe('what a row is answered with', () => {
  test('a classifier without predict_proba says the class', async () => {
    const one = caseOf('xgb-softprob')
    const { instance } = await open('xgb-softprob')
    const best = one.expected.map((row) => [row.indexOf(Math.max(...row))])
    expect(await answer(instance, one)).toEqual(best)
  })

  test('a binary one says 1 above the threshold, which is 0.5 by default', async () => {
    const one = caseOf('xgb-binary')
    for (const threshold of ['', '0.05', '0.95']) {
      const { instance } = await open('xgb-binary', parameters({ output_class: 'true', threshold }))
      const above = one.expected.map(([p = 0]) => [p > Number(threshold || 0.5) ? 1 : 0])
      expect(await answer(instance, one)).toEqual(above)
    }
  })

  test('with predict_proba it says the probability, or both where the config has two', async () => {
    const one = caseOf('xgb-binary')
    const wanted = parameters({ predict_proba: 'true' })
    const single = await open('xgb-binary', wanted)
    const both = await open('xgb-binary', { ...wanted, output: [{ name: 'output__0', dims: [2] }] })
    const probabilities = await answer(single.instance, one)
    expect(probabilities.map(([p = 0]) => p.toFixed(5))).toEqual(
      one.expected.map(([p = 0]) => p.toFixed(5)),
    )
    const pairs = await answer(both.instance, one)
    expect(pairs.map((pair) => pair[1])).toEqual(probabilities.map(([p]) => p))
    for (const [no = 0, yes = 0] of pairs) expect(no + yes).toBeCloseTo(1, 6)
  })

  test.each(['lgb-regression', 'xgb-rank', 'tl-targets'])('%s says its scores', async (name) => {
    const one = caseOf(name)
    const { instance } = await open(name)
    const found = await answer(instance, one)
    expect(found).toEqual(one.expected.map((row) => row.map(Math.fround)))
  })

  test('a classifier that is to be none says its scores, too', async () => {
    const { instance } = await open('lgb-multiclass', parameters({ is_classifier: 'false' }))
    const rows = await answer(instance, caseOf('lgb-multiclass'))
    expect(rows[0]).toHaveLength(3)
  })
})

describe('a batch', () => {
  const one = caseOf('xgb-categories')

  test('of several requests is answered in their order, wherever their bytes lie', async () => {
    const { instance } = await open('xgb-categories', parameters({ predict_proba: 'true' }))
    const parts = [rowsOf(one, 0, 5), rowsOf(one, 5, 6), rowsOf(one, 6, 12)]
    const whole = (await answer(instance, one)).flat()
    for (const offset of [0, 1, 2, 3, 4]) {
      const requests = parts.map((part) => {
        const data = new Uint8Array(part.data.length + offset).subarray(offset)
        data.set(part.data)
        return requestOf([{ ...part, data }], part.shape[0])
      })
      const output = outputOf(await execute(instance, requests), 'output__0')
      expect(output.shape).toEqual([12, 1])
      expect(floatsOf(output)).toEqual(whole)
    }
  })

  test('without rows has an empty answer', async () => {
    const { instance } = await open('xgb-categories')
    const output = outputOf(
      await execute(instance, [requestOf([rowsOf(one, 0, 0)], 0)]),
      'output__0',
    )
    expect(output.shape).toEqual([0, 1])
    expect(output.data).toHaveLength(0)
  })

  test('of another shape or size is refused, and the next one is answered', async () => {
    const { instance } = await open('xgb-categories')
    const good = rowsOf(one, 0, 2)
    for (const bad of [
      { ...good, shape: [1, 3] },
      { ...good, data: good.data.subarray(1) },
      { ...good, datatype: 'FP64' as const },
    ]) {
      const refusal = (await execute(instance, [requestOf([bad])])) as ServerError
      expect([refusal.code, refusal.message]).toEqual([
        'INVALID_ARG',
        expect.stringContaining('[-1,4]'),
      ])
    }
    expect(await answer(instance, one)).toHaveLength(12)
  })
})

describe('a long evaluation', () => {
  /** Rows enough for several slices. */
  const ROWS = 60_000
  const one = caseOf('xgb-softprob')
  const features = one.input.length / one.rows
  const many = new Float32Array(ROWS * features)
  for (let row = 0; row < ROWS; row += one.rows)
    many.set(
      one.input.subarray(0, Math.min(one.input.length, many.length - row * features)),
      row * features,
    )
  const request = () =>
    requestOf(
      [
        {
          name: 'input__0',
          datatype: 'FP32',
          shape: [ROWS, features],
          data: new Uint8Array(many.buffer),
        },
      ],
      ROWS,
    )

  test('lets others have their turns in between, and says the same', async () => {
    const { clock, instance } = await open('xgb-softprob')
    const running = execute(instance, [request()])
    expect(clock.settle()).toBeGreaterThan(5)
    const [first, ...rest] = floatsOf(outputOf(await running, 'output__0'))
    const small = (await answer(instance, one)).flat()
    expect([first, ...rest.slice(0, 11)]).toEqual(small)
    expect(rest.slice(-(ROWS % one.rows || one.rows))).toEqual(
      small.slice(0, ROWS % one.rows || one.rows),
    )
  })

  test('ends when nobody waits for it any more, or when it is told to', async () => {
    const { clock, instance } = await open('xgb-softprob')
    const left = request()
    const first = execute(instance, [left])
    left.cancelled = true
    clock.turn()
    expect(((await first) as ServerError).code).toBe('CANCELLED')
    const second = execute(instance, [request()])
    instance.terminate?.()
    clock.turn()
    expect(((await second) as ServerError).code).toBe('CANCELLED')
    expect(await answer(instance, one)).toHaveLength(one.rows)
  })

  test('is waited for by close', async () => {
    const { clock, instance } = await open('xgb-softprob')
    const running = execute(instance, [request()])
    let closed = false
    const closing = instance.close().then(() => (closed = true))
    clock.turn()
    await Promise.resolve()
    expect(closed).toBe(false)
    clock.settle()
    await closing
    expect(resultOf(await running).outputs).toHaveLength(1)
  })
})

describe('loading', () => {
  test('says what the file needs and answers', async () => {
    const { model } = await open('lgb-categories')
    expect(model.io).toEqual({
      inputs: [{ name: 'input__0', datatype: 'FP32', shape: [-1, 4] }],
      outputs: [{ name: 'output__0', datatype: 'FP32', shape: [-1, 1] }],
    })
    expect(model.config).toEqual({ max_batch_size: DEFAULT_FIL_BATCH })
  })

  test('leaves the batch size alone where the config or the command line has one', async () => {
    const { model } = await open('lgb-categories', { input: [{ name: 'input__0', dims: [-1, 4] }] })
    expect(model.config).toBeUndefined()
    const { source } = sourceOf('lgb-categories', {}, [['default-max-batch-size', '8']])
    expect((await filBackend({ clock: createFakeClock() }).load(source)).config).toBeUndefined()
  })

  test.each([
    ['the name of the format', 'xgb-binary', {}, 'xgboost.json'],
    [
      'the name of the format, whatever lies beside it',
      'xgb-binary',
      { default_model_filename: 'model.txt' },
      'xgboost.json',
    ],
    [
      'the name that the config gives',
      'xgb-binary',
      { default_model_filename: 'mine.json' },
      'mine.json',
    ],
  ])('reads the file by %s', async (_what, name, config, file) => {
    const { source, reads } = sourceOf(name, config)
    await filBackend({ clock: createFakeClock() }).load(source)
    expect(reads).toEqual([`forest/1/${file}`])
  })

  test('takes the parameters that tune other evaluators', async () => {
    const tuning = {
      storage_type: 'AUTO',
      algo: 'ALGO_AUTO',
      blocks_per_sm: '0',
      threads_per_tree: '1',
      chunk_size: '4',
      layout: 'layered',
      transfer_threshold: '2',
      use_experimental_optimizations: 'true',
    }
    await expect(open('lgb-binary', parameters(tuning))).resolves.toBeDefined()
  })

  test.each([
    [
      'an unknown format',
      parameters({ model_type: 'catboost' }),
      'catboost not recognized as a valid serialization format',
    ],
    [
      'a flag that is none',
      parameters({ predict_proba: 'maybe' }),
      "'predict_proba' must be true or false, got 'maybe'",
    ],
    [
      'a threshold that is none',
      parameters({ threshold: 'high' }),
      "'threshold' must be a number, got 'high'",
    ],
    [
      'an explanation',
      { output: [{ name: 'treeshap_output' }] },
      "'treeshap_output' is not supported",
    ],
    ['a path out of the folder', { default_model_filename: '../secret.json' }, 'path segment'],
  ])('refuses %s', async (_what, config, message) => {
    await expect(open('xgb-binary', config)).rejects.toThrow(message)
  })

  test('names the model and the file that cannot be read', async () => {
    await expect(open('xgb-binary', parameters({ model_type: 'lightgbm' }))).rejects.toThrow(
      "failed to load model 'forest': forest/1/model.txt as lightgbm: no LightGBM model",
    )
  })
})
