import assert from 'node:assert/strict'
import type { ModelSource } from '../../core/backend/types.ts'
import { packBytes, unpackBytes } from '../../core/bytes.ts'
import { ServerError } from '../../core/errors.ts'
import { DATATYPE_SIZES, type Datatype, type Tensor } from '../../core/tensor.ts'
import {
  type BackendContract,
  execute,
  floats,
  floatsOf,
  outputOf,
  patternBytes,
  requestOf,
  resultOf,
} from './backend-tools.ts'
import { type Add, type OpenedBackend, placementOf } from './opened-backend.ts'

const DATATYPES = Object.keys(DATATYPE_SIZES) as Datatype[]
/** Batches of strings that are tried, and what their bytes are made from: the same in every run. */
const STRING_RUNS = 50
const STRING_SEED = 0x2545f491

/** What a backend owes that can run X [-1,-1] → Y of any datatype. */
export function identityCases(
  contract: BackendContract,
  identity: (datatype: Datatype) => ModelSource,
  opened: OpenedBackend,
  add: Add,
): void {
  const { unsupported = {}, exceptions = {} } = contract
  const open = (datatype: Datatype) => opened.instance(identity(datatype))
  const x = (datatype: Datatype, shape: readonly number[], data?: Uint8Array): Tensor => ({
    name: 'X',
    datatype,
    shape,
    data: data ?? patternBytes(datatype, shape),
  })

  for (const datatype of DATATYPES) {
    add(
      `${datatype} values come back bit for bit`,
      async () => {
        const instance = await open(datatype)
        // Three times: a backend may learn shapes on the first run and change its ways on later ones.
        for (let i = 0; i < 3; i++) {
          const input = x(datatype, [2, 3])
          const output = outputOf(await execute(instance, [requestOf([input], 2)]), 'Y')
          assert.equal(output.datatype, datatype)
          assert.deepEqual([...output.shape], [2, 3])
          assert.deepEqual([...output.data], [...input.data])
        }
        await instance.close()
      },
      unsupported[datatype],
    )
  }

  add('requests of one batch are joined in order', async () => {
    const instance = await open('FP32')
    for (let round = 0; round < 3; round++) {
      const requests = [1, 2, 3].map((rows) =>
        requestOf([x('FP32', [rows, 2], floats(new Array(rows * 2).fill(rows + round)))], rows),
      )
      const output = outputOf(await execute(instance, requests), 'Y')
      assert.deepEqual([...output.shape], [6, 2])
      const expected = [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3].map((value) => value + round)
      assert.deepEqual(floatsOf(output), expected)
    }
    await instance.close()
  })

  add(
    'strings of one batch are joined in order',
    async () => {
      const instance = await open('BYTES')
      const text = (...words: string[]) => packBytes(words.map((w) => new TextEncoder().encode(w)))
      const answer = await execute(instance, [
        requestOf([x('BYTES', [1, 2], text('a', 'bb'))]),
        requestOf([x('BYTES', [1, 2], text('', 'dddd'))]),
      ])
      const output = outputOf(answer, 'Y')
      assert.deepEqual([...output.shape], [2, 2])
      assert.deepEqual([...output.data], [...text('a', 'bb', '', 'dddd')])
      await instance.close()
    },
    unsupported.BYTES,
  )

  add(
    'strings keep their NUL bytes and bytes that are no UTF-8',
    async () => {
      const instance = await open('BYTES')
      const random = bytesFrom(STRING_SEED)
      for (let run = 0; run < STRING_RUNS; run++) {
        const elements = Array.from({ length: 1 + (run % 6) }, () => random(run % 41))
        const input = x('BYTES', [1, elements.length], packBytes(elements))
        const output = outputOf(await execute(instance, [requestOf([input])]), 'Y')
        assert.deepEqual(
          unpackBytes(output.data).map((element) => [...element]),
          elements.map((element) => [...element]),
        )
      }
      await instance.close()
    },
    unsupported.BYTES ?? exceptions.nulBytes,
  )

  add(
    'a tensor without elements passes',
    async () => {
      for (const datatype of ['FP32', 'BYTES'] as const) {
        const instance = await open(datatype)
        for (const shape of [
          [0, 3],
          [1, 0],
        ]) {
          const input = x(datatype, shape, new Uint8Array(0))
          const output = outputOf(await execute(instance, [requestOf([input], shape[0])]), 'Y')
          assert.deepEqual([...output.shape], shape)
          assert.equal(output.data.length, 0)
        }
        await instance.close()
      }
    },
    exceptions.noElements,
  )

  add('small answers that are kept stay what they were', async () => {
    const instance = await open('FP32')
    const kept: Tensor[] = []
    for (let i = 0; i < 40; i++) {
      const answer = await execute(instance, [requestOf([x('FP32', [1, 2], floats([i, i + 0.5]))])])
      kept.push(outputOf(answer, 'Y'))
    }
    for (const [i, tensor] of kept.entries()) assert.deepEqual(floatsOf(tensor), [i, i + 0.5])
    await instance.close()
  })

  add(
    'a large tensor comes back whole, and its buffer is not used again before its release',
    async () => {
      const instance = await open('FP32')
      const size = 40_000
      const run = async (value: number) => {
        const input = x('FP32', [1, size], floats(new Array(size).fill(value)))
        return resultOf(await execute(instance, [requestOf([input])]))
      }
      const holds = (result: Awaited<ReturnType<typeof run>>, value: number): void =>
        assert.ok(floatsOf(result.outputs[0] as Tensor).every((one) => one === value))
      const kept = [await run(1), await run(2), await run(3)]
      for (const [i, result] of kept.entries()) holds(result, i + 1)
      for (const result of kept) result.release?.()
      const [fourth, fifth] = [await run(4), await run(5)]
      holds(fourth, 4)
      holds(fifth, 5)
      await instance.close()
    },
  )

  add('a view at an odd offset of a larger buffer is read right', async () => {
    const instance = await open('FP32')
    for (const size of [3, 30_000]) {
      for (const offset of [1, 4, 6, 8]) {
        const values = patternBytes('FP32', [1, size])
        const whole = new Uint8Array(offset + values.length + 3)
        whole.set(values, offset)
        const view = whole.subarray(offset, offset + values.length)
        const answer = await execute(instance, [requestOf([x('FP32', [1, size], view)])])
        assert.equal(Buffer.compare(outputOf(answer, 'Y').data, values), 0)
      }
    }
    await instance.close()
  })

  add(
    'data shorter than its shape is an error, and the next request is served',
    async () => {
      const instance = await open('FP32')
      for (const bytes of [0, 4, 23, 28]) {
        const input = x('FP32', [2, 3], new Uint8Array(bytes))
        const answer = await execute(instance, [requestOf([input], 2)])
        assert.ok(answer instanceof ServerError, `${bytes} bytes were taken`)
      }
      const good = x('FP32', [2, 3])
      const output = outputOf(await execute(instance, [requestOf([good], 2)]), 'Y')
      assert.deepEqual([...output.data], [...good.data])
      await instance.close()
    },
    exceptions.sizeError,
  )

  add('the marks lie between start and answer, in order', async () => {
    const instance = await open('FP32')
    const marks = { inputEndNs: 0, outputStartNs: 0 }
    resultOf(await execute(instance, [requestOf([x('FP32', [1, 3])])], marks))
    assert.ok(marks.inputEndNs > 0, 'inputEndNs is to be told')
    assert.ok(marks.outputStartNs >= marks.inputEndNs, 'outputStartNs comes after it')
    await instance.close()
  })

  add('instances run beside each other without mixing their answers', async () => {
    const source = identity('FP32')
    const model = await opened.model(source)
    const instances = await Promise.all(
      Array.from({ length: 4 }, (_, i) => model.instance(placementOf(i), source.config)),
    )
    await Promise.all(
      instances.map(async (instance, i) => {
        for (let run = 0; run < 200; run++) {
          const value = i * 1000 + run + 1
          const input = x('FP32', [1, 2], floats([value, -value]))
          const answer = await execute(instance, [requestOf([input])])
          assert.deepEqual(floatsOf(outputOf(answer, 'Y')), [value, -value])
        }
      }),
    )
  })

  add('close is idempotent, waits for what runs, and refuses what comes after', async () => {
    const instance = await open('FP32')
    const running = execute(instance, [requestOf([x('FP32', [1, 3])])])
    await Promise.all([instance.close(), instance.close()])
    resultOf(await running)
    const late = await execute(instance, [requestOf([x('FP32', [1, 3])])])
    assert.ok(late instanceof ServerError, 'it is closed')
  })

  add('a model closes twice and with instances open', async () => {
    const source = identity('INT8')
    const model = await opened.model(source)
    await model.instance(placementOf(0), source.config)
    await Promise.all([model.close(), model.close()])
  })
}

/** Pseudo-random bytes of any length. */
function bytesFrom(seed: number): (length: number) => Uint8Array {
  let state = seed
  return (length) =>
    Uint8Array.from({ length }, () => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return state & 0xff
    })
}
