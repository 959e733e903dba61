import { existsSync } from 'node:fs'
import { join } from 'node:path'
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

describe.skipIf(MISSING !== '')('models of transformers without code', () => {
  let made: Made
  let server: Serving
  const written = () => made.cases.filter(({ model }) => ['writer', 'translator'].includes(model))
  beforeAll(async () => {
    made = make('make_transformers.py')
    const models = [...made.cases.map(({ model }) => model), 'speaker']
    server = await serveMade(made, models)
  }, START_MS)
  afterAll(async () => {
    await stopAll()
    made.remove()
  })

  test('say what the library says: labels, entities, words, embeddings', async () => {
    await expectAll(
      server,
      made.cases.filter((one) => !written().includes(one)),
    )
  })

  test('write what the library writes, as long as a request asks for', async () => {
    for (const { model, inputs, outputs } of written()) {
      const answer = await ask(server, model, inputs, undefined, { max_new_tokens: 8 })
      expect((answer as Map<string, unknown>).get('text_output')).toMatchObject({
        shape: [1],
        data: outputs[0]?.data,
      })
    }
  })

  test('write piece by piece where the model is decoupled', async () => {
    const answer = await fetch(`${server.url}/v2/models/speaker/generate_stream`, {
      method: 'POST',
      body: JSON.stringify({ text_input: 'the cat', parameters: { max_new_tokens: 8 } }),
    })
    const pieces = [...(await answer.text()).matchAll(/^data: (.*)$/gm)].map(
      ([, json]) => (JSON.parse(json as string) as { text_output: string }).text_output,
    )
    const whole = made.cases.find(({ model }) => model === 'writer')?.outputs[0]?.data[0]
    expect(pieces.length).toBeGreaterThan(1)
    expect(pieces.join('')).toBe(whole)
  })

  test('refuse to write more than the model allows', async () => {
    const inputs = made.cases.find(({ model }) => model === 'writer')?.inputs ?? []
    const answer = await ask(server, 'writer', inputs, undefined, { max_new_tokens: 5000 })
    expect(answer).toContain('max_new_tokens must be from 1 to 4096, not 5000')
  })

  test('complete their config: the task follows from the architecture', async () => {
    expect(await configOf(server, 'mood')).toMatchObject({
      backend: 'transformers',
      max_batch_size: 64,
      input: [{ name: 'text_input', data_type: 'TYPE_STRING', dims: [1] }],
      output: [
        { name: 'label', data_type: 'TYPE_STRING', dims: [1] },
        { name: 'score', data_type: 'TYPE_FP32', dims: [1] },
      ],
    })
  })

  test(
    'run neither pickles nor code of theirs unless the administrator says so',
    async () => {
      expect(await load(server, 'pickled')).toContain(
        '--backend-config=transformers,allow-pickle=true',
      )
      expect(await load(server, 'coded')).toContain(
        '--backend-config=transformers,trust-remote-code=true',
      )
      expect(existsSync(join(made.folder, 'ran'))).toBe(false)
    },
    START_MS,
  )
})
