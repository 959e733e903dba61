import { afterAll, describe, expect, test } from 'vitest'
import { onnxBackend } from '../../../adapters/backends/onnx.ts'
import type { ModelSource } from '../../../core/backend/types.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import type { Tensor } from '../../../core/tensor.ts'
import {
  backendContract,
  type ContractModels,
  execute,
  floats,
  floatsOf,
  outputOf,
  requestOf,
  resultOf,
} from '../../contract/backend.ts'
import { fixture, onnxModels, realClock } from './onnx-fixtures.ts'

const bound = (source: ModelSource): ModelSource => ({
  ...source,
  settings: new Map([['io-binding', 'true']]),
})

const { identity, addSub, slow } = onnxModels
const models: ContractModels = {
  ...(identity === undefined ? {} : { identity: (datatype) => bound(identity(datatype)) }),
  ...(addSub === undefined ? {} : { addSub: bound(addSub) }),
  ...(slow === undefined ? {} : { slow: { ...slow, source: bound(slow.source) } }),
}

for (const inline of ['always', 'never'] as const) {
  backendContract({
    name: `onnxruntime with io-binding (inline ${inline})`,
    create: () => onnxBackend({ clock: realClock, inline }),
    models,
    ...(inline === 'always'
      ? { exceptions: { cancel: 'an inline run ends before anybody can cancel it' } }
      : {}),
  })
}

describe('onnxruntime with io-binding', () => {
  const backend = onnxBackend({ clock: realClock })
  afterAll(() => backend.close?.())

  async function open(name: string, config: ModelConfig) {
    const model = await backend.load(bound(fixture(name, config)))
    const cpu = { name: 'test_0', kind: 'KIND_CPU', device: 0 } as const
    return { model, instance: await model.instance(cpu, config) }
  }
  const tensor = (name: string, shape: number[], values: number[]): Tensor => ({
    name,
    datatype: 'FP32',
    shape,
    data: floats(values),
  })

  test('an optional input that was given is not there any more for the next request', async () => {
    const { model, instance } = await open('optional', { max_batch_size: 0 })
    const x = tensor('X', [1, 2], [1, 2])
    for (let i = 0; i < 3; i++) {
      const given = await execute(instance, [requestOf([x, tensor('W', [2], [100, 200])])])
      expect(floatsOf(outputOf(given, 'Y'))).toEqual([101, 202])
      const without = await execute(instance, [requestOf([x])])
      expect(floatsOf(outputOf(without, 'Y'))).toEqual([11, 22])
    }
    await model.close()
  })

  test('an output whose shape depends on values is right however it changes', async () => {
    const { model, instance } = await open('nonzero', { max_batch_size: 0 })
    for (const values of [
      [1, 0, 0, 0],
      [1, 1, 1, 1],
      [0, 0, 0, 0],
      [0, 1, 0, 1],
    ]) {
      const data = new Uint8Array(new BigInt64Array(values.map(BigInt)).buffer)
      const x: Tensor = { name: 'X', datatype: 'INT64', shape: [4], data }
      const y = outputOf(await execute(instance, [requestOf([x])]), 'Y')
      const expected = values.flatMap((value, i) => (value === 0 ? [] : [i]))
      expect(y.shape).toEqual([1, expected.length])
      expect([...new BigInt64Array(y.data.slice().buffer)].map(Number)).toEqual(expected)
    }
    await model.close()
  })

  test('inputs and initializers that are outputs themselves have their values', async () => {
    const { model, instance } = await open('passthrough', { max_batch_size: 0 })
    for (let i = 0; i < 4; i++) {
      const result = resultOf(await execute(instance, [requestOf([tensor('X', [2], [i, -i])])]))
      expect(floatsOf(outputOf(result, 'X'))).toEqual([i, -i])
      expect(floatsOf(outputOf(result, 'Y')).map((value) => value + 0)).toEqual([0 - i, i])
      expect(floatsOf(outputOf(result, 'C'))).toEqual([1, 2])
      result.release?.()
    }
    await model.close()
  })

  test('a wrong switch is named', async () => {
    const source = fixture('add_sub')
    const load = backend.load({ ...source, settings: new Map([['io-binding', 'maybe']]) })
    await expect(load).rejects.toThrow("failed to convert 'maybe' to boolean for io-binding")
  })
})
