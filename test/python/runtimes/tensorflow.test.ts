import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Serving, stopAll } from '../../targets/child.ts'
import { configOf, expectAll, load, type Made, MISSING, make, START_MS, serveMade } from './rig.ts'

describe.skipIf(MISSING !== '')('TensorFlow models without code', () => {
  let made: Made
  let server: Serving
  beforeAll(async () => {
    made = make('make_tensorflow.py')
    server = await serveMade(
      made,
      made.cases.map(({ model }) => model),
    )
  }, START_MS)
  afterAll(async () => {
    await stopAll()
    made.remove()
  })

  test('say what TensorFlow says: the usual signature, another one, texts, a frozen graph', async () => {
    await expectAll(server, made.cases)
  })

  test('complete their config from the signature', async () => {
    expect(await configOf(server, 'scores')).toMatchObject({
      platform: 'tensorflow_savedmodel',
      max_batch_size: 64,
      input: [{ name: 'rows', data_type: 'TYPE_FP32', dims: [4] }],
      output: [
        { name: 'best', data_type: 'TYPE_INT64', dims: [1] },
        { name: 'scores', data_type: 'TYPE_FP32', dims: [3] },
      ],
    })
  })

  test(
    'do not load with a signature or an input that the file does not have',
    async () => {
      expect(await load(server, 'missing')).toContain(
        "'model.savedmodel' has no signature 'lower'; it has serving_default, upper",
      )
      expect(await load(server, 'misnamed')).toContain(
        "unexpected inference input 'lines', allowed inputs for model 'misnamed' are: rows",
      )
    },
    START_MS,
  )
})
