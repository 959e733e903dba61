import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { send } from '../helpers/http.ts'
import { startServer, type Target } from './target.ts'

const repository = new URL('../fixtures/recorded/repository', import.meta.url)
const MODELS = ['seq_ctrl', 'seq_oldest', 'seq_state']
const CLIENTS = 12
const STEPS = 5

let target: Target
beforeAll(async () => {
  target = await startServer(fileURLToPath(repository), {
    modelControlMode: 'explicit',
    loadModels: MODELS,
  })
})
afterAll(() => target?.close())

interface Output {
  readonly name: string
  readonly data: readonly number[]
}

/** One step; the answer's outputs by name, or its error. */
async function step(model: string, id: number | string, at: number, value: number) {
  const answer = await send({
    url: `${target.url}/v2/models/${model}/infer`,
    method: 'POST',
    body: JSON.stringify({
      inputs: [{ name: 'INPUT', datatype: 'INT32', shape: [1, 1], data: [value] }],
      parameters: {
        sequence_id: id,
        sequence_start: at === 0,
        sequence_end: at === STEPS - 1,
      },
    }),
  })
  const json = JSON.parse(answer.body.toString()) as { outputs?: Output[]; error?: string }
  if (json.outputs === undefined) return json.error
  return Object.fromEntries(json.outputs.map(({ name, data }) => [name, data[0]]))
}

/** All steps of as many sequences at once, more than there are slots. */
async function runAll<T>(run: (client: number, at: number) => Promise<T>): Promise<T[][]> {
  return Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      const answers: T[] = []
      for (let at = 0; at < STEPS; at++) answers.push(await run(client, at))
      return answers
    }),
  )
}

describe('sequences over HTTP, on ONNX Runtime', () => {
  it.each(['seq_ctrl', 'seq_oldest'])(
    'tell %s where each request stands in its own sequence',
    async (model) => {
      const answers = await runAll((client, at) => step(model, client + 1, at, client))
      // The model adds 10 for READY, 100 for END and 1000 for START.
      const expected = (client: number) =>
        Array.from({ length: STEPS }, (_, at) => ({
          CORR: client + 1,
          OUTPUT: client + 10 + (at === 0 ? 1000 : 0) + (at === STEPS - 1 ? 100 : 0),
        }))
      expect(answers).toEqual(answers.map((_, client) => expected(client)))
    },
  )

  it('keep their state on the server, by numbers and by names', async () => {
    const answers = await runAll((client, at) =>
      step('seq_state', client % 2 === 0 ? client + 1 : `client ${client}`, at, client + 1),
    )
    const expected = (client: number) =>
      Array.from({ length: STEPS }, (_, at) => ({ OUTPUT: (client + 1) * (at + 1) }))
    expect(answers).toEqual(answers.map((_, client) => expected(client)))
  })

  it('give a short name to a model that expects a number as it lies packed', async () => {
    const first = await step('seq_ctrl', 's1', 0, 1)
    expect(first).toEqual({ CORR: 0x3173_0000_0002, OUTPUT: 1011 })
    await step('seq_ctrl', 's1', STEPS - 1, 1)
    expect(await step('seq_ctrl', 'hello', 0, 1)).toBe(
      "[request id: <id_unknown>] sequence batching control 'CORRID' data-type is 'BYTES', but model 'seq_ctrl' expects 'UINT64'",
    )
  })

  it('are over after their end', async () => {
    expect(await step('seq_state', 1, 1, 1)).toBe(
      "inference request for sequence 1 to model 'seq_state' must specify the START flag on the first request of the sequence",
    )
  })
})
