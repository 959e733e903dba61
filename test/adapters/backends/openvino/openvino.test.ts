import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { onnxBackend } from '../../../../adapters/backends/onnx.ts'
import { openVinoBackend } from '../../../../adapters/backends/openvino/openvino.ts'
import { memoryStore } from '../../../../adapters/stores/memory.ts'
import type { Instance } from '../../../../core/backend/types.ts'
import { packBytes } from '../../../../core/bytes.ts'
import type { ModelConfig, ModelOutput } from '../../../../core/config/types.ts'
import type { Datatype, Tensor } from '../../../../core/tensor.ts'
import {
  execute,
  floats,
  floatsOf,
  outputOf,
  requestOf,
  resultOf,
} from '../../../contract/backend.ts'
import { fixture as onnxFixture, realClock } from '../onnx-fixtures.ts'
import { backendOf, FIXTURES, fixture, LIBRARY, missing, parameters } from './fixtures.ts'

const cpu = { name: 'test_0', kind: 'KIND_CPU', device: 0 } as const

const tensor = (name: string, shape: number[], values: number[]): Tensor => ({
  name,
  datatype: 'FP32',
  shape,
  data: floats(values),
})

test('where OpenVINO is not, a load says what to install and how to name it', async () => {
  const backend = openVinoBackend({ clock: realClock, library: '/nowhere/libopenvino_c.so' })
  await expect(backend.load(fixture('static'))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(
      /^failed to load OpenVINO .*\/nowhere\/libopenvino_c\.so.*pip install openvino.*--backend-config=openvino,library=PATH$/,
    ),
  })
  const folder = openVinoBackend({ clock: realClock, library: FIXTURES })
  await expect(folder.load(fixture('static'))).rejects.toThrow(/there is none in '.*fixtures/)
})

describe.skipIf(LIBRARY === undefined)(`openvino backend${missing}`, () => {
  const backend = backendOf()
  afterAll(() => backend.close?.())

  async function open(name: string, config: ModelConfig, from = fixture) {
    const model = await backend.load(from(name, config))
    return { model, instance: await model.instance(cpu, config) }
  }
  const run = async (instance: Instance, inputs: Tensor[], rows = 1) =>
    outputOf(await execute(instance, [requestOf(inputs, rows)]), 'Y')

  test('it tells names, datatypes and shapes of a model', async () => {
    const { model } = await open('tiny_mlp', { max_batch_size: 0 })
    expect(model.io).toEqual({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 16] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 4] }],
    })
    await model.close()
  })

  test('it computes what ONNX Runtime computes', async () => {
    const config = { max_batch_size: 8, ...parameters({ INFERENCE_PRECISION_HINT: 'f32' }) }
    const ort = onnxBackend({ clock: realClock })
    const other = await ort.load(onnxFixture('tiny_mlp', config))
    const { model, instance } = await open('tiny_mlp', config)
    const x = tensor(
      'x',
      [3, 16],
      Array.from({ length: 48 }, (_, i) => Math.sin(i)),
    )
    const [mine, theirs] = await Promise.all(
      [instance, await other.instance(cpu, config)].map((each) =>
        execute(each, [requestOf([x], 3)]),
      ),
    )
    const expected = floatsOf(outputOf(theirs!, 'y'))
    const got = floatsOf(outputOf(mine!, 'y'))
    expect(got).toHaveLength(12)
    for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 5)
    await Promise.all([model.close(), other.close()])
    await ort.close?.()
  })

  test('a model whose first dimension is fixed takes batches of any size', async () => {
    const { model, instance } = await open('static', { max_batch_size: 8 })
    expect(model.io?.inputs[0]?.shape).toEqual([-1, 3])
    for (const rows of [1, 5, 8, 2]) {
      const values = Array.from({ length: rows * 3 }, (_, i) => i)
      const y = await run(instance, [tensor('X', [rows, 3], values)], rows)
      expect(y.shape).toEqual([rows, 3])
      expect(floatsOf(y)).toEqual(values.map((value) => value * 2))
    }
    await model.close()
  })

  test('without batching its shape is its own', async () => {
    const { model, instance } = await open('static', { max_batch_size: 0 })
    expect(model.io?.inputs[0]?.shape).toEqual([1, 3])
    expect(floatsOf(await run(instance, [tensor('X', [1, 3], [1, 2, 3])]))).toEqual([2, 4, 6])
    const wrong = await execute(instance, [requestOf([tensor('X', [2, 3], [1, 2, 3, 4, 5, 6])])])
    expect(wrong).toMatchObject({ message: expect.stringMatching(/^openvino error in setting/) })
    await model.close()
  })

  test('a graph with its batch size written into it takes batches of that size, others are refused in Triton’s words', async () => {
    const { model, instance } = await open('four_rows', { max_batch_size: 4 })
    expect(model.io?.outputs[0]?.shape).toEqual([-1, 2])
    const full = tensor('X', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8])
    expect(floatsOf(await run(instance, [full], 4))).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
    const small = await execute(instance, [requestOf([tensor('X', [1, 2], [1, 2])])])
    expect(small).toMatchObject({
      code: 'INTERNAL',
      message:
        "expected requests with batch size '4', got '1'... this error can be avoided by setting 'ENABLE_BATCH_PADDING' " +
        "parameter in model configuration to 'YES' at a performance cost.",
    })
    await model.close()
  })

  test('with ENABLE_BATCH_PADDING smaller batches are filled up and cut back', async () => {
    const config = { max_batch_size: 4, ...parameters({ ENABLE_BATCH_PADDING: 'YES' }) }
    const { model, instance } = await open('four_rows', config)
    for (const rows of [1, 4, 3, 2]) {
      const values = Array.from({ length: rows * 2 }, (_, i) => i)
      const y = await run(instance, [tensor('X', [rows, 2], values)], rows)
      expect(y.shape).toEqual([rows, 2])
      expect(floatsOf(y)).toEqual(values.map((value) => value + 1))
    }
    const short = await execute(instance, [requestOf([tensor('X', [2, 2], [1, 2, 3])], 2)])
    expect(short).toMatchObject({ code: 'INVALID_ARG' })
    await model.close()
  })

  test('with SKIP_OV_DYNAMIC_BATCHSIZE every batch has max_batch_size rows', async () => {
    const fixed = { SKIP_OV_DYNAMIC_BATCHSIZE: 'yes' }
    const { model, instance } = await open('static', { max_batch_size: 2, ...parameters(fixed) })
    expect(await execute(instance, [requestOf([tensor('X', [1, 3], [1, 2, 3])])])).toMatchObject({
      message: expect.stringMatching(/^expected requests with batch size '2', got '1'/),
    })
    const y = await run(instance, [tensor('X', [2, 3], [1, 2, 3, 4, 5, 6])], 2)
    expect(floatsOf(y)).toEqual([2, 4, 6, 8, 10, 12])
    await model.close()
  })

  test('a model that takes neither is refused when it is loaded', async () => {
    await expect(backend.load(fixture('four_rows', { max_batch_size: 3 }))).rejects.toThrow(
      /^openvino error in setting shapes : .*(four_rows|Reshape)/,
    )
  })

  test('RESHAPE_IO_LAYERS gives the inputs the config’s dims', async () => {
    const config: ModelConfig = {
      max_batch_size: 0,
      input: [{ name: 'X', data_type: 'TYPE_FP32', dims: [2, 5] }],
      ...parameters({ RESHAPE_IO_LAYERS: 'YES' }),
    }
    const { model, instance } = await open('static', config)
    expect(model.io?.outputs[0]?.shape).toEqual([2, 5])
    const values = Array.from({ length: 10 }, (_, i) => i)
    expect(floatsOf(await run(instance, [tensor('X', [2, 5], values)]))).toEqual(
      values.map((value) => value * 2),
    )
    await model.close()
  })

  test('datatypes of the config are converted to the model’s and back, as in Triton', async () => {
    const config: ModelConfig = {
      max_batch_size: 8,
      input: [{ name: 'X', data_type: 'TYPE_UINT8', dims: [3] }],
      output: [{ name: 'Y', data_type: 'TYPE_INT32', dims: [3] }],
    }
    const { model, instance } = await open('static', config)
    expect(model.io).toEqual({
      inputs: [{ name: 'X', datatype: 'UINT8', shape: [-1, 3] }],
      outputs: [{ name: 'Y', datatype: 'INT32', shape: [-1, 3] }],
    })
    for (let i = 0; i < 3; i++) {
      const data = Uint8Array.from([i, 2, 200])
      const y = await run(instance, [{ name: 'X', datatype: 'UINT8', shape: [1, 3], data }])
      expect([...new Int32Array(y.data.slice().buffer)]).toEqual([i * 2, 4, 400])
    }
    await model.close()
  })

  test.each([
    [
      'grows',
      [
        [1, 0, 0, 0],
        [1, 1, 1, 1],
        [0, 0, 0, 0],
        [0, 1, 0, 1],
      ],
    ],
    [
      'shrinks',
      [
        [1, 1, 1, 1],
        [0, 0, 0, 1],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
        [1, 1, 1, 0],
      ],
    ],
  ])('an output whose shape depends on values is right when it %s', async (_, inputs) => {
    const { model, instance } = await open('nonzero', { max_batch_size: 0 })
    for (const values of inputs) {
      const data = new Uint8Array(new BigInt64Array(values.map(BigInt)).buffer)
      const y = await run(instance, [{ name: 'X', datatype: 'INT64', shape: [4], data }])
      const expected = values.flatMap((value, i) => (value === 0 ? [] : [i]))
      expect(y.shape).toEqual([1, expected.length])
      expect([...new BigInt64Array(y.data.slice().buffer)].map(Number)).toEqual(expected)
    }
    await model.close()
  })

  test('a scalar has the config’s dims to clients', async () => {
    const config: ModelConfig = {
      max_batch_size: 0,
      output: [{ name: 'Y', data_type: 'TYPE_FP32', dims: [1] }],
    }
    const { model, instance } = await open('scalar', config)
    for (let i = 0; i < 3; i++) {
      const y = await run(instance, [tensor('X', [1], [i])])
      expect(y.shape).toEqual([1])
      expect(floatsOf(y)).toEqual([i === 0 ? -0 : -i])
    }
    await model.close()
  })

  test('64-bit integers that fit in 32 bits come back', async () => {
    const { model, instance } = await open('identity_int64', { max_batch_size: 8 })
    const values = [0n, 1n, -1n, 2_147_483_647n, -2_147_483_648n]
    const data = new Uint8Array(new BigInt64Array(values).buffer)
    const y = await run(instance, [{ name: 'X', datatype: 'INT64', shape: [1, 5], data }])
    expect([...new BigInt64Array(y.data.slice().buffer)]).toEqual(values)
    await model.close()
  })

  test('answers do not mix when shapes take turns', async () => {
    const { model, instance } = await open('identity_fp32', { max_batch_size: 0 })
    for (let i = 0; i < 300; i++) {
      // Small, large, borrowed and copied ones, so that every kind follows every other.
      const size = [1, 3, 6_000, 40, 9_000, 1][i % 6] as number
      const values = new Array(size).fill(i)
      const result = resultOf(
        await execute(instance, [requestOf([tensor('X', [1, size], values)])]),
      )
      expect(floatsOf(outputOf(result, 'Y'))).toEqual(values)
      if (i % 4 !== 0) result.release?.()
    }
    await model.close()
  })

  test('inputs that can be read where they lie and such that cannot take turns', async () => {
    const { model, instance } = await open('identity_fp32', { max_batch_size: 0 })
    const size = 6_000
    for (let i = 0; i < 12; i++) {
      const whole = new Uint8Array(size * 4 + 8)
      const data = whole.subarray(i % 3, (i % 3) + size * 4)
      data.set(floats(new Array(size).fill(i)))
      const y = await run(instance, [{ name: 'X', datatype: 'FP32', shape: [1, size], data }])
      expect(new Set(floatsOf(y))).toEqual(new Set([i]))
    }
    await model.close()
  })

  test('an input that is not there is no reason to run with what the last request left', async () => {
    const { model, instance } = await open('add_sub', { max_batch_size: 8 })
    const a = tensor('A', [1, 4], [1, 2, 3, 4])
    resultOf(await execute(instance, [requestOf([a, { ...a, name: 'B' }])]))
    for (const inputs of [[a], [a, a]]) {
      expect(await execute(instance, [requestOf(inputs)])).toMatchObject({
        code: 'INVALID_ARG',
        message: expect.stringMatching(/^expected the 2 inference inputs 'A', 'B', got \d$/),
      })
    }
    await model.close()
  })

  test('only the outputs that the config names are computed into answers', async () => {
    const output: ModelOutput[] = [{ name: 'DIFF', data_type: 'TYPE_FP32', dims: [4] }]
    const { model, instance } = await open('add_sub', { max_batch_size: 8, output })
    const a = tensor('A', [1, 4], [1, 2, 3, 4])
    const result = resultOf(await execute(instance, [requestOf([a, { ...a, name: 'B' }])]))
    expect(result.outputs.map(({ name }) => name)).toEqual(['DIFF'])
    await model.close()
  })

  test('a store without paths serves a model and its weights', async () => {
    const file = (name: string) => new Uint8Array(readFileSync(join(FIXTURES, name)))
    const store = memoryStore({
      files: new Map([
        ['tiny_mlp.xml', file('tiny_mlp.xml')],
        ['tiny_mlp.bin', file('tiny_mlp.bin')],
      ]),
    })
    const config = { max_batch_size: 8 }
    const { model, instance } = await open('tiny_mlp', config)
    const inMemory = await backend.load(fixture('tiny_mlp', config, store))
    const second = await inMemory.instance(cpu, config)
    const x = tensor('x', [1, 16], new Array(16).fill(0.25))
    const [one, two] = await Promise.all(
      [instance, second].map((each) => execute(each, [requestOf([x])])),
    )
    expect(floatsOf(outputOf(two!, 'y'))).toEqual(floatsOf(outputOf(one!, 'y')))
    await expect(
      backend.load(
        fixture(
          'x',
          { default_model_filename: 'x.tflite' },
          memoryStore({ files: new Map([['x.tflite', file('tiny_mlp.bin')]]) }),
        ),
      ),
    ).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await Promise.all([model.close(), inMemory.close()])
  })

  test('weights that are missing, cut short or of another model are an error of the load', async () => {
    const xml = new Uint8Array(readFileSync(join(FIXTURES, 'tiny_mlp.xml')))
    const bin = new Uint8Array(readFileSync(join(FIXTURES, 'tiny_mlp.bin')))
    for (const files of [
      { 'tiny_mlp.xml': xml },
      { 'tiny_mlp.xml': xml, 'tiny_mlp.bin': bin.slice(0, 100) },
      { 'tiny_mlp.xml': xml.slice(0, 500), 'tiny_mlp.bin': bin },
    ]) {
      await expect(
        backend.load(
          fixture('tiny_mlp', {}, memoryStore({ files: new Map(Object.entries(files)) })),
        ),
      ).rejects.toMatchObject({
        code: 'INTERNAL',
        message: expect.stringMatching(/^openvino error in reading model : /),
      })
    }
  })

  test('what OpenVINO cannot convert is said when the model is loaded', async () => {
    await expect(backend.load(onnxFixture('sequence', {}))).rejects.toThrow(
      /^openvino error in reading model : .*SequenceMark/,
    )
  })

  test('strings of every length, empty ones and none, come back', async () => {
    const { model, instance } = await open('identity_bytes', { max_batch_size: 8 })
    const bytes = (shape: number[], elements: Uint8Array[]): Tensor => ({
      name: 'X',
      datatype: 'BYTES' satisfies Datatype,
      shape,
      data: packBytes(elements),
    })
    for (const lengths of [[0, 15, 16, 17], [1, 1, 1, 1], [], [100_000, 0, 3, 31]]) {
      const elements = lengths.map((length) => new Uint8Array(length).fill(length % 251))
      const shape = [lengths.length / 2, 2]
      const y = await run(instance, [bytes(shape, elements)], shape[0])
      expect(y.shape).toEqual(shape)
      expect(Buffer.compare(y.data, packBytes(elements))).toBe(0)
    }
    await model.close()
  })

  test('a load that is no longer wanted ends as such', async () => {
    const abort = new AbortController()
    abort.abort(new Error('enough'))
    await expect(backend.load(fixture('static'), abort.signal)).rejects.toThrow('enough')
  })

  test('after its close it loads nothing', async () => {
    const other = backendOf()
    await other.close?.()
    await expect(other.load(fixture('static'))).rejects.toThrow('the openvino backend is closed')
  })
})
