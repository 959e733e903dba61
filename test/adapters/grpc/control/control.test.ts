import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { controlMethods } from '../../../../adapters/grpc/control/control-methods.ts'
import type { UnaryMethod } from '../../../../adapters/grpc/types.ts'
import { ANYBODY, type Principal } from '../../../../core/access/types.ts'
import { ProtoError } from '../../../../core/protocol/grpc/proto-error.ts'
import { createSharedMemory } from '../../../../core/shared-memory/regions.ts'
import { ECHO_CONFIG, type Serving, serve } from '../../../helpers/serve.ts'
import { call, callBytes } from './call.ts'

const choice = <C extends string, V>(name: C, value: V) =>
  ({ parameterChoice: { case: name, value } }) as const
const tenant = (id: string, model: string): Principal => ({
  ...ANYBODY,
  id,
  sees: (name) => name === model,
})

let serving: Serving
let methods: readonly UnaryMethod[]

beforeEach(async () => {
  serving = await serve({
    models: { echo: ECHO_CONFIG, other: ECHO_CONFIG },
    server: { modelControlMode: 'explicit', loadModels: ['*'] },
  })
  const { server, log } = serving
  const file = {
    size: () => 4096,
    read: () => 0,
    write: () => 0,
    close: () => {},
  }
  const sharedMemory = createSharedMemory({ host: { open: () => file }, enabled: true })
  methods = controlMethods({ server, logControl: log, sharedMemory, log })
})
afterEach(() => serving.close())

const health = (service: number[] = []) =>
  callBytes(methods, '/grpc.health.v1.Health/Check', new Uint8Array(service))

describe('health', () => {
  test('a server that is ready serves, whatever service is asked for', async () => {
    expect(await health()).toEqual(new Uint8Array([8, 1]))
    expect(await health([10, 1, 0x78])).toEqual(new Uint8Array([8, 1]))
    expect(await call(methods, 'serverReady', {})).toMatchObject({ ready: true })
    expect(await call(methods, 'modelReady', { name: 'echo', version: '1' })).toMatchObject({
      ready: true,
    })
  })

  test('a server that shuts down lives, is not ready and does not serve', async () => {
    await serving.server.close()
    expect(await health()).toEqual(new Uint8Array([8, 2]))
    expect(await call(methods, 'serverReady', {})).toMatchObject({ ready: false })
    expect(await call(methods, 'serverLive', {})).toMatchObject({ live: true })
    expect(await call(methods, 'modelReady', { name: 'echo', version: '1' })).toMatchObject({
      ready: false,
    })
  })

  test('bytes that are no message are refused', async () => {
    for (const bytes of [
      [10, 255],
      [10, 1, 255],
      [0],
      [8],
      [13, 1],
      [255, 255, 255, 255, 255, 1],
    ]) {
      await expect(health(bytes)).rejects.toBeInstanceOf(ProtoError)
    }
  })
})

describe('the repository', () => {
  const states = async (ready: boolean) => {
    const { models } = await call(methods, 'repositoryIndex', { ready })
    return models.map(({ name, version, state, reason }) =>
      [name, version, state, reason].join(' '),
    )
  }

  test('a model is unloaded, listed as such and loaded again with a config and files', async () => {
    await call(methods, 'repositoryModelUnload', { modelName: 'echo' })
    await expect
      .poll(() => states(false))
      .toEqual(['echo 1 UNAVAILABLE unloaded', 'other 1 READY '])
    expect(await states(true)).toEqual(['other 1 READY '])
    await call(methods, 'repositoryModelLoad', {
      modelName: 'echo',
      parameters: {
        config: choice('stringParam', JSON.stringify({ backend: 'fake', max_batch_size: 2 })),
        'file:7/model.fake': choice('bytesParam', new Uint8Array(1)),
      },
    })
    expect(await states(true)).toEqual(['echo 7 READY ', 'other 1 READY '])
    const { config } = await call(methods, 'modelConfig', { name: 'echo' })
    expect(config?.maxBatchSize).toBe(2)
  })

  test('an index and statistics show a tenant its own models', async () => {
    const mine = tenant('a', 'other')
    const index = await call(methods, 'repositoryIndex', {}, mine)
    expect(index.models.map(({ name }) => name)).toEqual(['other'])
    const all = await call(methods, 'modelStatistics', { version: '9' })
    expect(all.modelStats.map(({ name }) => name)).toEqual(['echo', 'other'])
    const some = await call(methods, 'modelStatistics', {}, mine)
    expect(some.modelStats.map(({ name }) => name)).toEqual(['other'])
  })

  test('statistics have the figures of the model', async () => {
    const { stats } = serving.server.model('echo', '')
    stats.recordExecution(3, 10, 20, 30)
    const times = { queueNs: 5, computeInputNs: 10, computeInferNs: 20, computeOutputNs: 30 }
    stats.recordSuccess(3, 1234.5, { requestNs: 2 ** 52, ...times })
    const { modelStats } = await call(methods, 'modelStatistics', { name: 'echo' })
    expect(modelStats).toMatchObject([
      {
        name: 'echo',
        version: '1',
        lastInference: 1234n,
        inferenceCount: 3n,
        executionCount: 1n,
        inferenceStats: { success: { count: 1n, ns: 2n ** 52n }, queue: { count: 1n, ns: 5n } },
        batchStats: [{ batchSize: 3n, computeInfer: { count: 1n, ns: 20n } }],
      },
    ])
  })
})

describe('logging', () => {
  test('a change is made as a whole and answered with all settings', async () => {
    const set = async (settings: Parameters<typeof call<'logSettings'>>[2]['settings']) => {
      const answer = await call(methods, 'logSettings', { settings: settings ?? {} })
      return Object.fromEntries(
        Object.entries(answer.settings).map(([key, one]) => [key, one.parameterChoice.value]),
      )
    }
    const before = await set({})
    expect(before).toMatchObject({ log_info: true, log_verbose_level: 0, log_format: 'default' })
    const change = { log_info: choice('boolParam', false), unknown: choice('boolParam', true) }
    expect(await set(change)).toEqual({ ...before, log_info: false })
    await expect(
      set({ log_info: choice('boolParam', true), log_format: choice('boolParam', true) }),
    ).rejects.toThrow("expect string for 'log_format'")
    expect(serving.log.get().log_info).toBe(false)
    expect(await set({ log_verbose_level: choice('uint32Param', 3) })).toMatchObject({
      log_verbose_level: 3,
    })
    expect(await set({ log_verbose_level: choice('uint32Param', 0xffff_ffff) })).toMatchObject({
      log_verbose_level: 0,
    })
  })
})

test('regions belong to who registered them', async () => {
  const [a, b] = [tenant('a', 'echo'), tenant('b', 'echo')]
  const region = { name: 'r', key: '/k', offset: 8n, byteSize: 16n }
  await call(methods, 'systemSharedMemoryRegister', region, a)
  await expect(call(methods, 'systemSharedMemoryRegister', region, a)).rejects.toMatchObject({
    code: 'ALREADY_EXISTS',
    message: "shared memory region 'r' already in manager",
  })
  const of = async (who: Principal) =>
    (await call(methods, 'systemSharedMemoryStatus', {}, who)).regions
  expect(await of(a)).toMatchObject({ r: region })
  expect(await of(b)).toEqual({})
  await call(methods, 'systemSharedMemoryUnregister', { name: 'r' }, b)
  expect(Object.keys(await of(a))).toEqual(['r'])
  await call(methods, 'systemSharedMemoryUnregister', {}, a)
  expect(await of(a)).toEqual({})
  await expect(
    call(methods, 'systemSharedMemoryRegister', { ...region, byteSize: 2n ** 64n - 1n }, a),
  ).rejects.toThrow("failed to register shared memory region 'r': invalid args")
})

test('the model that a call is authorized for is the model that it concerns', async () => {
  const path = '/inference.GRPCInferenceService/RepositoryModelUnload'
  const method = methods.find((one) => one.path === path)!
  const name = (field: number, text: string) => [field * 8 + 2, text.length, ...Buffer.from(text)]
  const twice = method.decode(new Uint8Array([...name(2, 'echo'), ...name(2, 'other')]))
  expect(method.model?.(twice)).toBe('other')
  // A varint where a string should be: skipped by one reader, taken for the length of a string by another.
  const doubtful = new Uint8Array([...name(2, 'echo'), 2 * 8, 5, ...name(9, 'abc')])
  expect(method.model?.(method.decode(doubtful))).toBe('echo')
  await expect(callBytes(methods, path, doubtful)).rejects.toBeInstanceOf(ProtoError)
})
