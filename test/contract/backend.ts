import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type {
  Backend,
  BackendModel,
  BatchResult,
  ExecutionMarks,
  Instance,
  ModelSource,
} from '../../core/backend/types.ts'
import { packBytes, unpackBytes } from '../../core/bytes.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import { InferRequest } from '../../core/infer.ts'
import { DATATYPE_SIZES, type Datatype, elementCount, type Tensor } from '../../core/tensor.ts'
import { joined } from './joined-answers.ts'

/** The models every backend is tested with; `identity` is X [-1,-1] → Y of one datatype. */
export interface ContractModels {
  identity(datatype: Datatype): ModelSource
  /** A, B [-1,4] FP32 → SUM, DIFF. */
  addSub?: ModelSource
  /** Takes long (seconds at least) with `inputs` unless terminated, and no time with `quick`. */
  slow?: {
    readonly source: ModelSource
    readonly inputs: readonly Tensor[]
    readonly quick: readonly Tensor[]
  }
  /** Sources that must not load, with what their message must say. */
  broken?: readonly { readonly source: ModelSource; readonly message: RegExp }[]
}

export interface BackendContract {
  readonly name: string
  create(): Backend
  readonly models: ContractModels
  /** Datatypes the backend cannot carry, each with the reason. */
  readonly unsupported?: Partial<Record<Datatype, string>>
  /** Cases it cannot pass, each with the reason. */
  readonly exceptions?: {
    readonly nulBytes?: string
    readonly cancel?: string
    readonly shapeError?: string
    readonly sizeError?: string
    readonly noElements?: string
  }
}

const DATATYPES = Object.keys(DATATYPE_SIZES) as Datatype[]

/** Bytes of `shape` that are valid for `datatype`: every bit pattern but for BOOL, which knows two. */
export function patternBytes(datatype: Datatype, shape: readonly number[]): Uint8Array {
  const count = elementCount(shape)
  if (datatype === 'BYTES') {
    return packBytes(Array.from({ length: count }, (_, i) => new TextEncoder().encode(`é${i}`)))
  }
  const bytes = new Uint8Array(count * DATATYPE_SIZES[datatype])
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = datatype === 'BOOL' ? i & 1 : (i * 37 + 11) & 0x3f
  return bytes
}

export function requestOf(inputs: readonly Tensor[], batchSize = 1): InferRequest {
  const request = new InferRequest({ inputs }, { answer() {} })
  request.batchSize = batchSize
  return request
}

/** Runs requests as one batch and waits for the answer. */
export function execute(
  instance: Instance,
  requests: readonly InferRequest[],
  marks: ExecutionMarks = { inputEndNs: 0, outputStartNs: 0 },
): Promise<BatchResult | ServerError> {
  const size = requests.reduce((rows, request) => rows + request.batchSize, 0)
  return new Promise((resolve) => instance.execute({ requests, size }, marks, resolve))
}

export function resultOf(answer: BatchResult | ServerError): BatchResult {
  if (answer instanceof ServerError) throw answer
  return answer
}

export function outputOf(answer: BatchResult | ServerError, name: string): Tensor {
  const { outputs, answers } = resultOf(answer)
  const found = (answers === undefined ? outputs : joined(answers)).find(
    (tensor) => tensor.name === name,
  )
  if (found === undefined) throw new Error(`no output '${name}'`)
  return found
}

export const floats = (values: readonly number[]): Uint8Array =>
  new Uint8Array(new Float32Array(values).buffer)

export const floatsOf = (tensor: Tensor): number[] => [
  ...new Float32Array(tensor.data.slice().buffer),
]

/** What every backend owes the schedulers, whatever runs the model. */
export function backendContract(contract: BackendContract): void {
  const { models, unsupported = {}, exceptions = {} } = contract

  describe(`backend ${contract.name}`, () => {
    let backend: Backend
    const opened: BackendModel[] = []

    beforeAll(() => {
      backend = contract.create()
    })
    afterAll(async () => {
      for (const model of opened) await model.close()
      await backend.close?.()
    })

    async function open(source: ModelSource, config: ModelConfig = source.config) {
      const model = await backend.load(source)
      opened.push(model)
      return model.instance({ name: 'test_0', kind: 'KIND_CPU', device: 0 }, config)
    }
    const x = (datatype: Datatype, shape: readonly number[], data?: Uint8Array): Tensor => ({
      name: 'X',
      datatype,
      shape,
      data: data ?? patternBytes(datatype, shape),
    })

    for (const datatype of DATATYPES) {
      const reason = unsupported[datatype]
      test.skipIf(reason !== undefined)(
        `${datatype} values come back bit for bit${reason === undefined ? '' : ` (skipped: ${reason})`}`,
        async () => {
          const instance = await open(models.identity(datatype))
          // Three times: a backend may learn shapes on the first run and change its ways on later ones.
          for (let i = 0; i < 3; i++) {
            const input = x(datatype, [2, 3])
            const output = outputOf(await execute(instance, [requestOf([input], 2)]), 'Y')
            expect(output.datatype).toBe(datatype)
            expect(output.shape).toEqual([2, 3])
            expect([...output.data]).toEqual([...input.data])
          }
          await instance.close()
        },
      )
    }

    test('requests of one batch are joined in order', async () => {
      const instance = await open(models.identity('FP32'))
      for (let round = 0; round < 3; round++) {
        const requests = [1, 2, 3].map((rows) =>
          requestOf([x('FP32', [rows, 2], floats(new Array(rows * 2).fill(rows + round)))], rows),
        )
        const output = outputOf(await execute(instance, requests), 'Y')
        expect(output.shape).toEqual([6, 2])
        const expected = [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3].map((value) => value + round)
        expect(floatsOf(output)).toEqual(expected)
      }
      await instance.close()
    })

    test.skipIf(unsupported.BYTES !== undefined)(
      `strings of one batch are joined in order${note(unsupported.BYTES)}`,
      async () => {
        const instance = await open(models.identity('BYTES'))
        const text = (...words: string[]) =>
          packBytes(words.map((w) => new TextEncoder().encode(w)))
        const answer = await execute(instance, [
          requestOf([x('BYTES', [1, 2], text('a', 'bb'))]),
          requestOf([x('BYTES', [1, 2], text('', 'dddd'))]),
        ])
        const output = outputOf(answer, 'Y')
        expect(output.shape).toEqual([2, 2])
        expect([...output.data]).toEqual([...text('a', 'bb', '', 'dddd')])
        await instance.close()
      },
    )

    const strings = unsupported.BYTES ?? exceptions.nulBytes
    test.skipIf(strings !== undefined)(
      `strings keep their NUL bytes and bytes that are no UTF-8${note(strings)}`,
      async () => {
        const instance = await open(models.identity('BYTES'))
        const bytes = fc.uint8Array({ maxLength: 40 })
        await fc.assert(
          fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 6 }), async (elements) => {
            const input = x('BYTES', [1, elements.length], packBytes(elements))
            const output = outputOf(await execute(instance, [requestOf([input])]), 'Y')
            expect(unpackBytes(output.data).map((e) => [...e])).toEqual(elements.map((e) => [...e]))
          }),
          { numRuns: 50 },
        )
        await instance.close()
      },
    )

    test.skipIf(exceptions.noElements !== undefined)(
      `a tensor without elements passes${note(exceptions.noElements)}`,
      async () => {
        for (const datatype of ['FP32', 'BYTES'] as const) {
          const instance = await open(models.identity(datatype))
          for (const shape of [
            [0, 3],
            [1, 0],
          ]) {
            const input = x(datatype, shape, new Uint8Array(0))
            const output = outputOf(await execute(instance, [requestOf([input], shape[0])]), 'Y')
            expect(output.shape).toEqual(shape)
            expect(output.data.length).toBe(0)
          }
          await instance.close()
        }
      },
    )

    test('small answers that are kept stay what they were', async () => {
      const instance = await open(models.identity('FP32'))
      const kept: Tensor[] = []
      for (let i = 0; i < 40; i++) {
        const answer = await execute(instance, [requestOf([x('FP32', [1, 2], floats([i, -i]))])])
        kept.push(outputOf(answer, 'Y'))
      }
      expect(kept.map(floatsOf)).toEqual(kept.map((_, i) => [i, -i]))
      await instance.close()
    })

    test('a large tensor comes back whole, and its buffer is not used again before its release', async () => {
      const instance = await open(models.identity('FP32'))
      const size = 40_000
      const run = async (value: number) =>
        resultOf(
          await execute(instance, [
            requestOf([x('FP32', [1, size], floats(new Array(size).fill(value)))]),
          ]),
        )
      const kept = [await run(1), await run(2), await run(3)]
      for (const [i, result] of kept.entries()) {
        expect(floatsOf(result.outputs[0] as Tensor).every((value) => value === i + 1)).toBe(true)
      }
      for (const result of kept) result.release?.()
      const [fourth, fifth] = [await run(4), await run(5)]
      expect(floatsOf(fourth.outputs[0] as Tensor).every((value) => value === 4)).toBe(true)
      expect(floatsOf(fifth.outputs[0] as Tensor).every((value) => value === 5)).toBe(true)
      await instance.close()
    })

    test('a view at an odd offset of a larger buffer is read right', async () => {
      const instance = await open(models.identity('FP32'))
      for (const size of [3, 30_000]) {
        for (const offset of [1, 4, 6, 8]) {
          const values = patternBytes('FP32', [1, size])
          const whole = new Uint8Array(offset + values.length + 3)
          whole.set(values, offset)
          const view = whole.subarray(offset, offset + values.length)
          const answer = await execute(instance, [requestOf([x('FP32', [1, size], view)])])
          expect(Buffer.compare(outputOf(answer, 'Y').data, values)).toBe(0)
        }
      }
      await instance.close()
    })

    test.skipIf(exceptions.sizeError !== undefined)(
      `data shorter than its shape is an error, and the next request is served${note(exceptions.sizeError)}`,
      async () => {
        const instance = await open(models.identity('FP32'))
        for (const bytes of [0, 4, 23, 28]) {
          const input = x('FP32', [2, 3], new Uint8Array(bytes))
          expect(await execute(instance, [requestOf([input], 2)])).toBeInstanceOf(ServerError)
        }
        const good = x('FP32', [2, 3])
        expect([...outputOf(await execute(instance, [requestOf([good], 2)]), 'Y').data]).toEqual([
          ...good.data,
        ])
        await instance.close()
      },
    )

    test('the marks lie between start and answer, in order', async () => {
      const instance = await open(models.identity('FP32'))
      const marks = { inputEndNs: 0, outputStartNs: 0 }
      resultOf(await execute(instance, [requestOf([x('FP32', [1, 3])])], marks))
      expect(marks.inputEndNs).toBeGreaterThan(0)
      expect(marks.outputStartNs).toBeGreaterThanOrEqual(marks.inputEndNs)
      await instance.close()
    })

    test('instances run beside each other without mixing their answers', async () => {
      const source = models.identity('FP32')
      const model = await backend.load(source)
      opened.push(model)
      const instances = await Promise.all(
        Array.from({ length: 4 }, (_, i) =>
          model.instance({ name: `test_${i}`, kind: 'KIND_CPU', device: 0 }, source.config),
        ),
      )
      await Promise.all(
        instances.map(async (instance, i) => {
          for (let run = 0; run < 200; run++) {
            const value = i * 1000 + run
            const input = x('FP32', [1, 2], floats([value, -value]))
            const answer = await execute(instance, [requestOf([input])])
            expect(floatsOf(outputOf(answer, 'Y'))).toEqual([value, -value])
          }
        }),
      )
    })

    test('close is idempotent, waits for what runs, and refuses what comes after', async () => {
      const instance = await open(models.identity('FP32'))
      const running = execute(instance, [requestOf([x('FP32', [1, 3])])])
      await Promise.all([instance.close(), instance.close()])
      resultOf(await running)
      expect(await execute(instance, [requestOf([x('FP32', [1, 3])])])).toBeInstanceOf(ServerError)
    })

    test('a model closes twice and with instances open', async () => {
      const source = models.identity('INT8')
      const model = await backend.load(source)
      await model.instance({ name: 'test_0', kind: 'KIND_CPU', device: 0 }, source.config)
      await Promise.all([model.close(), model.close()])
    })

    const { addSub, slow } = models
    if (addSub !== undefined) {
      const ab = (name: string, shape: readonly number[], values: readonly number[]): Tensor => ({
        name,
        datatype: 'FP32',
        shape,
        data: floats(values),
      })

      test('several inputs and outputs keep their names', async () => {
        const instance = await open(addSub)
        const a = ab('A', [1, 4], [1, 2, 3, 4])
        const b = ab('B', [1, 4], [10, 20, 30, 40])
        for (const inputs of [
          [a, b],
          [b, a],
        ]) {
          const answer = await execute(instance, [requestOf(inputs)])
          expect(floatsOf(outputOf(answer, 'SUM'))).toEqual([11, 22, 33, 44])
          expect(floatsOf(outputOf(answer, 'DIFF'))).toEqual([-9, -18, -27, -36])
        }
        await instance.close()
      })

      test.skipIf(exceptions.shapeError !== undefined)(
        `a shape the model does not take, an unknown or a missing input is an error, not a crash${note(exceptions.shapeError)}`,
        async () => {
          const instance = await open(addSub)
          const five = [1, 2, 3, 4, 5]
          const four = [1, 2, 3, 4]
          const wrong: Tensor[][] = [
            [ab('A', [1, 5], five), ab('B', [1, 5], five)],
            [ab('A', [1, 4], four)],
            [ab('A', [1, 4], four), ab('Z', [1, 4], four)],
            [],
          ]
          for (const inputs of wrong) {
            const answer = await execute(instance, [requestOf(inputs)])
            expect(answer).toBeInstanceOf(ServerError)
          }
          const answer = await execute(instance, [
            requestOf([ab('A', [1, 4], four), ab('B', [1, 4], four)]),
          ])
          expect(floatsOf(outputOf(answer, 'SUM'))).toEqual([2, 4, 6, 8])
          await instance.close()
        },
      )
    }

    if (slow !== undefined) {
      test.skipIf(exceptions.cancel !== undefined)(
        `a run in progress is stopped by terminate, and the instance serves on${note(exceptions.cancel)}`,
        async () => {
          const instance = await open(slow.source)
          const running = execute(instance, [requestOf(slow.inputs)])
          await new Promise((resolve) => setImmediate(resolve))
          instance.terminate?.()
          const answer = await running
          expect(answer).toBeInstanceOf(ServerError)
          expect((answer as ServerError).code).toBe('CANCELLED')
          resultOf(await execute(instance, [requestOf(slow.quick)]))
          instance.terminate?.()
          resultOf(await execute(instance, [requestOf(slow.quick)]))
          await instance.close()
        },
      )
    }

    for (const { source, message } of models.broken ?? []) {
      test(`a load that must fail says ${message.source}`, async () => {
        await expect(backend.load(source)).rejects.toThrow(message)
      })
    }
  })
}

const note = (reason: string | undefined): string =>
  reason === undefined ? '' : ` (skipped: ${reason})`
