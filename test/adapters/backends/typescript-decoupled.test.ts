import { afterAll, describe, expect, test } from 'vitest'
import { MAX_UNTAKEN } from '../../../adapters/backends/hosted/untaken.ts'
import type { Tensor } from '../../../core/tensor.ts'
import { until } from '../../helpers/until.ts'
import { type Asked, ask, buildWorker, type Serving, serveModels } from './typescript-rig.ts'

const { worker, remove } = buildWorker()
afterAll(remove)

const COUNTER = `
input [ { name: "COUNT" data_type: TYPE_INT32 dims: [ 1 ] } ]
output [ { name: "INDEX" data_type: TYPE_INT32 dims: [ 1 ] } ]
model_transaction_policy { decoupled: true }
`
const ENDLESS = 1_000_000

const count = (value: number): Tensor => ({
  name: 'COUNT',
  datatype: 'INT32',
  shape: [1],
  data: new Uint8Array(new Int32Array([value]).buffer),
})

const counting = (serving: Serving, value: number, congested?: () => boolean): Asked =>
  ask(serving, 'counter', [count(value)], congested === undefined ? {} : { congested })

/** What came: numbers and `CODE message`. */
const seen = ({ answers }: Asked): (number | string)[] =>
  answers.map((answer) => {
    if (answer instanceof Error) return `${answer.code} ${answer.message}`
    return new Int32Array(answer?.outputs[0]?.data.slice().buffer ?? new ArrayBuffer(4))[0] ?? -1
  })

describe('a model in TypeScript that yields its answers', () => {
  test.each([0, 1, 5, 100])('%i answers come in order, then the end', async (value) => {
    const serving = await serveModels(worker, { counter: COUNTER })
    const asked = counting(serving, value)
    await asked.done
    expect(seen(asked)).toEqual(Array.from({ length: value }, (_, i) => i))
  })

  test('what it throws comes after the answers before', async () => {
    const serving = await serveModels(worker, { counter: COUNTER })
    const asked = counting(serving, -2)
    await asked.done
    expect(seen(asked)).toEqual([0, 1, "INTERNAL model 'counter': no further"])
  })

  test('a client that leaves ends its generator, and the next one is served', async () => {
    const serving = await serveModels(worker, { counter: COUNTER })
    const asked = counting(serving, ENDLESS)
    await until(() => asked.answers.length > 3)
    asked.request.cancel()
    await asked.done
    expect(seen(asked).at(-1)).toBe('CANCELLED request was cancelled')
    const next = counting(serving, 2)
    await next.done
    expect(seen(next)).toEqual([0, 1])
  })

  test('a client that does not read makes the model wait, and gets everything when it does', async () => {
    const serving = await serveModels(worker, { counter: COUNTER })
    let congested = true
    const asked = counting(serving, 500, () => congested)
    await until(() => asked.answers.length >= MAX_UNTAKEN)
    // Another model answers meanwhile: the counter would have sent more by now.
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(asked.answers.length).toBe(MAX_UNTAKEN)
    congested = false
    const resume = asked.request.onWritable
    asked.request.onWritable = null
    resume?.()
    await asked.done
    expect(seen(asked)).toEqual(Array.from({ length: 500 }, (_, i) => i))
  })

  test('however often a client stops and goes on, no more is on its way to it', async () => {
    const serving = await serveModels(worker, { counter: COUNTER })
    const asked = counting(serving, ENDLESS, () => true)
    for (let taken = 0; taken < 20 * MAX_UNTAKEN; taken += MAX_UNTAKEN) {
      await until(() => asked.answers.length >= taken + MAX_UNTAKEN)
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
      expect(asked.answers.length - taken).toBe(MAX_UNTAKEN)
      // As front ends do: what is to be called stays.
      asked.request.onWritable?.()
    }
    asked.request.cancel()
    await asked.done
  })

  test('a generator without the setting in the config is told about it', async () => {
    const plain = COUNTER.replace(/model_transaction_policy.*/, '')
    const serving = await serveModels(worker, { counter: plain })
    const asked = counting(serving, 1)
    await asked.done
    expect(seen(asked)).toEqual([
      "INTERNAL model 'counter': execute yields answers: set model_transaction_policy { decoupled: true }",
    ])
  })

  test('requests of one batch are generated beside each other', async () => {
    const batching = 'max_batch_size: 4\ndynamic_batching { max_queue_delay_microseconds: 50000 }'
    const serving = await serveModels(worker, { counter: `${COUNTER}${batching}` })
    const asked = [ENDLESS, 2].map((value) =>
      ask(serving, 'counter', [{ ...count(value), shape: [1, 1] }]),
    )
    await asked[1]?.done
    expect(seen(asked[1] as Asked)).toEqual([0, 1])
    expect(seen(asked[0] as Asked).length).toBeGreaterThan(0)
    asked[0]?.request.cancel()
    await asked[0]?.done
  })
})
