import { describe, expect, test } from 'vitest'
import { repeatBackend } from '../../../core/backend/repeat.ts'
import { MAX_RESPONSES_PER_TURN } from '../../../core/backend/repeat-stream.ts'
import type { ModelSource } from '../../../core/backend/types.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { InferRequest, type InferResponse } from '../../../core/infer.ts'
import { warmUp } from '../../../core/model/warmup.ts'
import type { Tensor } from '../../../core/tensor.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'

const CONFIG: ModelConfig = {
  max_batch_size: 0,
  model_transaction_policy: { decoupled: true },
  input: [
    { name: 'IN', data_type: 'TYPE_INT32', dims: [-1] },
    { name: 'DELAY', data_type: 'TYPE_UINT32', dims: [-1] },
    { name: 'WAIT', data_type: 'TYPE_UINT32', dims: [1] },
  ],
  output: [
    { name: 'OUT', data_type: 'TYPE_INT32', dims: [1] },
    { name: 'IDX', data_type: 'TYPE_UINT32', dims: [1] },
  ],
}
const PLACE = { name: 'r_0', kind: 'KIND_CPU', device: 0 } as const
const MS = 1e6

const tensor = (name: string, datatype: 'INT32' | 'UINT32', values: readonly number[]): Tensor => ({
  name,
  datatype,
  shape: [values.length],
  data: new Uint8Array(Int32Array.from(values).buffer),
})

async function open(config: ModelConfig = CONFIG) {
  const clock = createFakeClock()
  const model = await repeatBackend({ clock }).load({} as ModelSource)
  const instance = await model.instance(PLACE, config)
  /** Executes one request and notes every answer: `[OUT, IDX]`, an error's code, or null. */
  const run = (
    values: number[],
    delays: number[],
    wait: number[] = [0],
    congested = () => false,
  ) => {
    const seen: ([number, number] | string | null)[] = []
    const inputs = [
      tensor('IN', 'INT32', values),
      tensor('DELAY', 'UINT32', delays),
      tensor('WAIT', 'UINT32', wait),
    ]
    const request = new InferRequest({ inputs }, { answer() {}, congested })
    const state = { request, seen, done: false }
    const note = (answer: InferResponse | ServerError | null) => {
      if (answer instanceof ServerError) return `${answer.code} ${answer.message}`
      if (answer === null) return null
      const at = (i: number) => new Int32Array(answer.outputs[i]!.data.slice().buffer)[0] as number
      return [at(0), at(1)] as [number, number]
    }
    instance.execute(
      { requests: [request], size: 1 },
      { inputEndNs: 0, outputStartNs: 0 },
      () => {
        state.done = true
      },
      { send: (_index, answer) => void seen.push(note(answer)) },
    )
    return state
  }
  return { clock, instance, run }
}

describe('repeat', () => {
  test('each element comes after its own delay, then an end without a response', async () => {
    const { clock, run } = await open()
    const { seen } = run([7, -8, 9], [2, 0, 5])
    clock.advance(2 * MS - 1)
    expect(seen).toEqual([])
    clock.advance(1)
    expect(seen).toEqual([
      [7, 0],
      [-8, 1],
    ])
    clock.advance(5 * MS)
    expect(seen).toEqual([[7, 0], [-8, 1], [9, 2], null])
    expect(clock.timers).toBe(0)
  })

  test('no element is no response', async () => {
    const { run } = await open()
    expect(run([], []).seen).toEqual([null])
  })

  test('the execution takes WAIT, whatever becomes of the responses', async () => {
    const { clock, run } = await open()
    const short = run([1], [10])
    expect(short.done).toBe(true)
    const long = run([1], [1], [20])
    clock.advance(19 * MS)
    expect([long.seen, long.done]).toEqual([[[1, 0], null], false])
    clock.advance(1 * MS)
    expect(long.done).toBe(true)
  })

  test('responses without a delay leave the event loop its turns', async () => {
    const { clock, run } = await open()
    const count = MAX_RESPONSES_PER_TURN * 3
    const { seen } = run(new Array(count).fill(1), new Array(count).fill(0))
    expect(seen).toHaveLength(MAX_RESPONSES_PER_TURN)
    clock.settle()
    expect(seen).toHaveLength(count + 1)
  })

  test('it waits while its client does not take what it gets', async () => {
    const { clock, run } = await open()
    let full = true
    const { request, seen } = run([1, 2, 3], [0, 1, 0], [0], () => full)
    clock.advance(1000 * MS)
    expect(seen).toEqual([])
    full = false
    request.onWritable?.()
    expect(seen).toEqual([[1, 0]])
    full = true
    clock.advance(1 * MS)
    expect(seen).toHaveLength(1)
    full = false
    request.onWritable?.()
    expect(seen).toEqual([[1, 0], [2, 1], [3, 2], null])
  })

  test('a cancelled request ends at once, and only it', async () => {
    const { clock, instance, run } = await open()
    const gone = run([1, 2], [1, 1000])
    const stays = run([5], [2])
    clock.advance(1 * MS)
    gone.request.cancel()
    instance.cancelled?.(gone.request)
    expect(gone.seen).toEqual([[1, 0], 'CANCELLED request cancelled while executing'])
    clock.advance(1 * MS)
    expect(stays.seen).toEqual([[5, 0], null])
    expect(clock.timers).toBe(0)
  })

  test('terminate ends everything, and close waits for it', async () => {
    const { clock, instance, run } = await open()
    const one = run([1], [1000])
    const two = run([1], [1000], [1000])
    let closed = false
    const closing = instance.close().then(() => {
      closed = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(closed).toBe(false)
    instance.terminate?.()
    await closing
    expect([one.seen, two.seen, two.done]).toEqual([
      ['CANCELLED request cancelled while executing'],
      ['CANCELLED request cancelled while executing'],
      true,
    ])
    expect(clock.timers).toBe(0)
  })

  test('IN and DELAY of different shapes are an error, as is a WAIT of several elements', async () => {
    const { run } = await open()
    expect(run([1, 2], [1]).seen).toEqual([
      'INVALID_ARG expected IN and DELAY shape to match, got [2] and [1]',
    ])
    expect(run([1], [1], [1, 2]).seen).toEqual(['INVALID_ARG unexpected size for WAIT input'])
  })

  test.each<[string, Partial<ModelConfig>]>([
    ['must be decoupled', { model_transaction_policy: {} }],
    ['does not support batching', { max_batch_size: 4 }],
    ["must have output 'OUT'", { output: [] }],
    [
      "must have input 'DELAY' of TYPE_UINT32",
      { input: CONFIG.input!.map((one) => ({ ...one, data_type: 'TYPE_INT32' as const })) },
    ],
  ])('a config that does not fit is refused: it %s', async (message, change) => {
    await expect(open({ ...CONFIG, ...change })).rejects.toThrow(message)
  })
})

test('a decoupled model is warm when its last answer came', async () => {
  const { clock, instance } = await open()
  const inputs = [
    tensor('IN', 'INT32', [1, 2]),
    tensor('DELAY', 'UINT32', [1, 1]),
    tensor('WAIT', 'UINT32', [0]),
  ]
  const request = new InferRequest({ inputs }, { answer() {} })
  let warm = false
  const sample = { name: 's', count: 1, requests: [request] }
  const warming = warmUp(instance, [sample], { decoupled: true }).then(() => {
    warm = true
  })
  clock.advance(1 * MS)
  await new Promise((resolve) => setImmediate(resolve))
  expect(warm).toBe(false)
  clock.advance(1 * MS)
  await warming
  expect(warm).toBe(true)
})

test('a warm-up that a decoupled model answers with an error fails', async () => {
  const { instance } = await open()
  const request = new InferRequest({ inputs: [] }, { answer() {} })
  const sample = { name: 's', count: 1, requests: [request] }
  await expect(warmUp(instance, [sample], { decoupled: true })).rejects.toThrow(
    "failed to run warmup sample 's': expected input 'WAIT' of UINT32",
  )
})
