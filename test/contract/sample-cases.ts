import assert from 'node:assert/strict'
import type { BatchResult } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { Tensor } from '../../core/tensor.ts'
import { type ContractSample, execute, outputOf, requestOf } from './backend-tools.ts'
import { type Add, type OpenedBackend, placementOf } from './opened-backend.ts'

/** Instances, and runs of each, that are mixed with one another. */
const INSTANCES = 4
const RUNS = 50

/** What a backend owes that runs models of its own kind, shown on one of them. */
export function sampleCases(
  sample: ContractSample,
  index: number,
  opened: OpenedBackend,
  add: Add,
): void {
  const { source, inputs, outputs, rows = 1 } = sample
  const what = `sample ${index + 1}`
  const request = () => requestOf(inputs, rows)
  const answered = (answer: BatchResult | ServerError, times = 1): void => {
    for (const expected of outputs) {
      const given = outputOf(answer, expected.name)
      assert.equal(given.datatype, expected.datatype, `datatype of '${expected.name}'`)
      const shape = times === 1 ? expected.shape : [rows * times, ...expected.shape.slice(1)]
      assert.deepEqual([...given.shape], shape, `shape of '${expected.name}'`)
      const bytes = repeated(expected.data, times)
      assert.ok(Buffer.from(given.data).equals(bytes), `bytes of '${expected.name}'`)
    }
  }

  add(`${what} is answered the same every time`, async () => {
    const instance = await opened.instance(source)
    for (let run = 0; run < 3; run++) answered(await execute(instance, [request()]))
    await instance.close()
  })

  if ((source.config.max_batch_size ?? 0) >= rows * 3) {
    add(`${what}: requests of one batch are joined`, async () => {
      const instance = await opened.instance(source)
      answered(await execute(instance, [request(), request(), request()]), 3)
      await instance.close()
    })
  }

  add(
    `${what}: an input that is missing or too short is an error, and the next request is served`,
    async () => {
      const instance = await opened.instance(source)
      const short = inputs.map((input): Tensor => ({ ...input, data: input.data.subarray(0, 1) }))
      for (const wrong of [[], short]) {
        const answer = await execute(instance, [requestOf(wrong, rows)])
        assert.ok(answer instanceof ServerError, 'an error was to be answered')
      }
      answered(await execute(instance, [request()]))
      await instance.close()
    },
  )

  add(`${what}: an input at an odd offset of a larger buffer is read right`, async () => {
    const instance = await opened.instance(source)
    const moved = inputs.map((input): Tensor => {
      const whole = new Uint8Array(input.data.length + 7)
      whole.set(input.data, 3)
      return { ...input, data: whole.subarray(3, 3 + input.data.length) }
    })
    answered(await execute(instance, [requestOf(moved, rows)]))
    await instance.close()
  })

  add(`${what}: instances run beside each other`, async () => {
    const model = await opened.model(source)
    const instances = await Promise.all(
      Array.from({ length: INSTANCES }, (_, i) => model.instance(placementOf(i), source.config)),
    )
    await Promise.all(
      instances.map(async (instance) => {
        for (let run = 0; run < RUNS; run++) answered(await execute(instance, [request()]))
      }),
    )
  })

  add(
    `${what}: close is idempotent, waits for what runs, and refuses what comes after`,
    async () => {
      const instance = await opened.instance(source)
      const running = execute(instance, [request()])
      await Promise.all([instance.close(), instance.close()])
      answered(await running)
      assert.ok((await execute(instance, [request()])) instanceof ServerError, 'it is closed')
    },
  )

  add(`${what}: the model closes twice and with instances open`, async () => {
    const model = await opened.model(source)
    await model.instance(placementOf(0), source.config)
    await Promise.all([model.close(), model.close()])
  })
}

function repeated(data: Uint8Array, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => data))
}
