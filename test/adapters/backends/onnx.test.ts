import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { onnxBackend } from '../../../adapters/backends/onnx.ts'
import { MAX_PLANS } from '../../../adapters/backends/onnx-plans.ts'
import { memoryStore } from '../../../adapters/stores/memory.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import type { Tensor } from '../../../core/tensor.ts'
import {
  backendContract,
  execute,
  floats,
  floatsOf,
  outputOf,
  requestOf,
  resultOf,
} from '../../contract/backend.ts'
import { FIXTURES, fixture, onnxModels, realClock } from './onnx-fixtures.ts'

for (const inline of ['auto', 'always', 'never'] as const) {
  backendContract({
    name: `onnxruntime (inline ${inline})`,
    create: () => onnxBackend({ clock: realClock, inline }),
    models: onnxModels,
    ...(inline === 'always'
      ? { exceptions: { cancel: 'an inline run ends before anybody can cancel it' } }
      : {}),
  })
}

describe('onnxruntime backend', () => {
  const backend = onnxBackend({ clock: realClock })
  afterAll(() => backend.close?.())
  const cpu = { name: 'test_0', kind: 'KIND_CPU', device: 0 } as const

  const tensor = (name: string, shape: number[], values: number[]): Tensor => ({
    name,
    datatype: 'FP32',
    shape,
    data: floats(values),
  })
  const int64 = (values: number[]): Tensor => ({
    name: 'X',
    datatype: 'INT64',
    shape: [values.length],
    data: new Uint8Array(new BigInt64Array(values.map(BigInt)).buffer),
  })

  async function open(name: string, config: ModelConfig) {
    const model = await backend.load(fixture(name, config))
    return { model, instance: await model.instance(cpu, config) }
  }

  test('it tells names, datatypes and shapes of a model file, and which inputs are optional', async () => {
    const model = await backend.load(fixture('optional'))
    expect(model.io).toEqual({
      inputs: [
        { name: 'X', datatype: 'FP32', shape: [-1, 2] },
        { name: 'W', datatype: 'FP32', shape: [2], optional: true },
      ],
      outputs: [{ name: 'Y', datatype: 'FP32', shape: [-1, 2] }],
    })
    await model.close()
  })

  test('an optional input may be left out or given', async () => {
    const { model, instance } = await open('optional', { max_batch_size: 0 })
    for (let i = 0; i < 3; i++) {
      const x = tensor('X', [1, 2], [1, 2])
      const without = await execute(instance, [requestOf([x])])
      expect(floatsOf(outputOf(without, 'Y'))).toEqual([11, 22])
      const given = await execute(instance, [requestOf([x, tensor('W', [2], [100, 200])])])
      expect(floatsOf(outputOf(given, 'Y'))).toEqual([101, 202])
    }
    await model.close()
  })

  test('an output whose shape depends on values is right however it changes', async () => {
    const { model, instance } = await open('nonzero', { max_batch_size: 0 })
    for (const values of [
      [0, 5, 0, 7],
      [0, 5, 0, 7],
      [1, 1, 1, 1],
      [0, 0, 0, 0],
      [0, 0, 3, 0],
    ]) {
      const answer = await execute(instance, [requestOf([int64(values)])])
      const output = outputOf(answer, 'Y')
      const expected = values.flatMap((value, i) => (value === 0 ? [] : [i]))
      expect(output.shape).toEqual([1, expected.length])
      expect([...new BigInt64Array(output.data.slice().buffer)].map(Number)).toEqual(expected)
    }
    await model.close()
  })

  test('a graph whose outputs are an input and an initializer gives both', async () => {
    const { model, instance } = await open('passthrough', { max_batch_size: 0 })
    for (const values of [[1, 2, 3], [4, 5, 6], [7, 8, 9], [1], [2]]) {
      const answer = await execute(instance, [requestOf([tensor('X', [values.length], values)])])
      expect(floatsOf(outputOf(answer, 'X'))).toEqual(values)
      expect(floatsOf(outputOf(answer, 'Y'))).toEqual(values.map((value) => -value))
      expect(floatsOf(outputOf(answer, 'C'))).toEqual([1, 2])
    }
    await model.close()
  })

  test('a scalar has the dims that the config gives it', async () => {
    const { model, instance } = await open('scalar', {
      max_batch_size: 0,
      input: [{ name: 'X', data_type: 'TYPE_FP32', dims: [1] }],
      output: [{ name: 'Y', data_type: 'TYPE_FP32', dims: [1] }],
    })
    for (let i = 0; i < 3; i++) {
      const answer = await execute(instance, [requestOf([tensor('X', [1], [i + 1])])])
      expect(outputOf(answer, 'Y').shape).toEqual([1])
      expect(floatsOf(outputOf(answer, 'Y'))).toEqual([-(i + 1)])
    }
    await model.close()
  })

  test('only the outputs of the config are computed', async () => {
    const config = { max_batch_size: 8, output: [{ name: 'DIFF' }] }
    const { model, instance } = await open('add_sub', config)
    const inputs = [tensor('A', [1, 4], [1, 2, 3, 4]), tensor('B', [1, 4], [1, 1, 1, 1])]
    const { outputs } = resultOf(await execute(instance, [requestOf(inputs)]))
    expect(outputs.map((output) => output.name)).toEqual(['DIFF'])
    await model.close()
  })

  test('ragged requests are laid end to end', async () => {
    const config = { max_batch_size: 8, input: [{ name: 'X', allow_ragged_batch: true }] }
    const { model, instance } = await open('passthrough', config)
    for (let i = 0; i < 3; i++) {
      const answer = await execute(instance, [
        requestOf([tensor('X', [1, 2], [1, 2])]),
        requestOf([tensor('X', [1, 3 + i], new Array(3 + i).fill(i))]),
      ])
      expect(floatsOf(outputOf(answer, 'Y')).map(Math.abs)).toEqual([
        1,
        2,
        ...new Array(3 + i).fill(i),
      ])
    }
    await model.close()
  })

  test('ever new shapes are served, and so are old ones again', async () => {
    const { model, instance } = await open('identity_fp32', { max_batch_size: 0 })
    const sizes = Array.from({ length: MAX_PLANS * 3 }, (_, i) => i + 1)
    for (const size of [...sizes, ...sizes.slice(0, 5), ...sizes.slice(-5)]) {
      const values = new Array(size).fill(size)
      for (let twice = 0; twice < 2; twice++) {
        const answer = await execute(instance, [requestOf([tensor('X', [1, size], values)])])
        expect(floatsOf(outputOf(answer, 'Y'))).toEqual(values)
      }
    }
    await model.close()
  })

  test('a store without paths hands the file over as bytes', async () => {
    const files = new Map([['m/1/model.onnx', readFileSync(join(FIXTURES, 'add_sub.onnx'))]])
    const store = memoryStore({ root: 'memory', files })
    const source = { ...fixture('m', {}, store), versionPath: 'm/1', config: { max_batch_size: 8 } }
    const model = await backend.load(source)
    expect(model.io?.outputs.map((output) => output.name)).toEqual(['SUM', 'DIFF'])
    await model.close()
  })

  test('an aborted load rejects with the reason it was given', async () => {
    const reason = new Error('unloaded meanwhile')
    const load = backend.load(fixture('tiny_mlp'), AbortSignal.abort(reason))
    await expect(load).rejects.toThrow('unloaded meanwhile')
  })

  test('settings reach the session, and a wrong one is a load error', async () => {
    const parameters = (values: Record<string, string>): ModelConfig => ({
      max_batch_size: 8,
      parameters: Object.fromEntries(
        Object.entries(values).map(([key, string_value]) => [key, { string_value }]),
      ),
    })
    const { model } = await open('tiny_mlp', {
      ...parameters({
        intra_op_thread_count: '1',
        inter_op_thread_count: '1',
        execution_mode: '1',
        enable_mem_arena: 'false',
        enable_mem_pattern: '0',
        'memory.enable_memory_arena_shrinkage': 'cpu:0',
        'session.use_device_allocator_for_initializers': '1',
      }),
      optimization: { graph: { level: -1 } },
    })
    await model.close()
    for (const [values, message] of [
      [{ execution_mode: '2' }, /execution_mode are 0 or 1 but got 2/],
      [{ intra_op_thread_count: 'many' }, /failed to convert 'many' to integral number/],
      [{ enable_mem_arena: 'maybe' }, /failed to convert 'maybe' to boolean/],
    ] as const) {
      await expect(open('tiny_mlp', parameters(values))).rejects.toThrow(message)
    }
  })

  test('KIND_GPU without a usable CUDA provider is a load error that names what is there', async () => {
    const model = await backend.load(fixture('tiny_mlp'))
    const gpu = { name: 'tiny_0_gpu0', kind: 'KIND_GPU', device: 0 } as const
    await expect(model.instance(gpu, { max_batch_size: 8 })).rejects.toThrow(/CUDA|cuda/)
    await model.close()
  })

  test('a library that is not there is a load error that says so', async () => {
    const other = onnxBackend({ clock: realClock, libraryPath: '/nowhere/libonnxruntime.so' })
    await expect(other.load(fixture('tiny_mlp'))).rejects.toThrow(
      /failed to load ONNX Runtime from '\/nowhere\/libonnxruntime.so'/,
    )
    await other.close?.()
  })
})
