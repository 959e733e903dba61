import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Serving, stopAll } from '../../targets/child.ts'
import {
  ask,
  configOf,
  expectAll,
  load,
  type Made,
  MISSING,
  make,
  START_MS,
  serveMade,
} from './rig.ts'

describe.skipIf(MISSING !== '')('scikit-learn estimators without code', () => {
  let made: Made
  let server: Serving
  beforeAll(async () => {
    made = make('make_sklearn.py')
    server = await serveMade(
      made,
      made.cases.map(({ model }) => model),
    )
  }, START_MS)
  afterAll(async () => {
    await stopAll()
    made.remove()
  })

  test('say what the library says: classes, probabilities, transforms, texts, columns of a table', async () => {
    await expectAll(server, made.cases)
  })

  test('complete their config: features, classes and batching', async () => {
    expect(await configOf(server, 'iris')).toMatchObject({
      backend: 'sklearn',
      max_batch_size: 64,
      input: [{ name: 'input', data_type: 'TYPE_FP64', dims: [4] }],
      output: [
        { name: 'predict', data_type: 'TYPE_STRING', dims: [1] },
        { name: 'predict_proba', data_type: 'TYPE_FP64', dims: [3] },
      ],
    })
    expect(await configOf(server, 'whole')).toMatchObject({
      max_batch_size: 0,
      output: [{ name: 'predict', data_type: 'TYPE_FP64', dims: [-1, 1] }],
    })
  })

  test('answer a bad request alone, with what the library says of it', async () => {
    const price = made.cases.filter(({ model }) => model === 'price')
    const [, error] = await Promise.all([
      expectAll(server, [...price, ...price]),
      ask(server, 'price', [
        { name: 'colour', datatype: 'BYTES', shape: [1, 1], data: ['green'] },
        { name: 'size', datatype: 'FP64', shape: [1, 1], data: [1] },
      ]),
    ])
    expect(error).toContain(
      "scikit-learn failed on model 'price': Found unknown categories ['green']",
    )
  })

  test(
    'are not unpickled unless the administrator says so',
    async () => {
      const error = await load(server, 'pickled')
      expect(error).toContain("'model.joblib' is a pickle, which can run any code while it is read")
      expect(error).toContain('--backend-config=sklearn,allow-pickle=true')
    },
    START_MS,
  )

  test(
    'are made of trusted types, or of those that the model names',
    async () => {
      const error = await load(server, 'strange')
      expect(error).toContain("'model.skops' has types that are not trusted: statistics.fmean")
      const trusted = { trusted_types: { string_value: 'statistics.fmean' } }
      expect(await load(server, 'strange', { backend: 'sklearn', parameters: trusted })).toBe('')
    },
    START_MS,
  )
})
