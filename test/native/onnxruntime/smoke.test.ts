import koffi from 'koffi'
import { afterAll, expect, test } from 'vitest'
import { FUNCTIONS } from '../../../native/onnxruntime/functions.ts'
import { loadOnnxRuntime } from '../../../native/onnxruntime/runtime.ts'
import { FIXTURES } from '../../adapters/backends/onnx-fixtures.ts'

const ort = loadOnnxRuntime()
const { api } = ort
const env = ort.openEnv()
afterAll(() => env.close())

const open = (name: string) =>
  ort.openSession({ env, model: `${FIXTURES}/${name}.onnx`, settings: { intraOpThreads: 1 } })

test('the library says its version and what it can run on', () => {
  expect(ort.version).toMatch(/^1\.\d+\.\d+$/)
  expect(ort.providers).toContain('CPUExecutionProvider')
})

test('every function of the table has its own index, in the order of the C header', () => {
  const indices = Object.values(FUNCTIONS).map(([index]) => index)
  expect(new Set(indices).size).toBe(indices.length)
  expect(indices).toEqual([...indices].sort((a, b) => a - b))
})

test('a failing call becomes an error with its code and text', async () => {
  await expect(open('absent')).rejects.toMatchObject({
    code: 3,
    message: expect.stringContaining('absent.onnx'),
  })
})

test('session options of every kind are taken', async () => {
  const session = await ort.openSession({
    env,
    model: `${FIXTURES}/tiny_mlp.onnx`,
    settings: {
      graphLevel: 1,
      parallel: true,
      intraOpThreads: 1,
      interOpThreads: 1,
      memoryArena: true,
      memoryPattern: true,
      entries: { 'session.use_device_allocator_for_initializers': '1' },
    },
  })
  expect(session.inputs).toEqual([{ name: 'x', kind: 1, elementType: 1, shape: [-1, 16] }])
  expect(session.outputs).toEqual([{ name: 'y', kind: 1, elementType: 1, shape: [-1, 4] }])
  await session.close()
  await session.close()
})

test('custom operators and providers that are not there are refused by name', async () => {
  const wrong = (settings: object) => ort.openSession({ env, model: 'x', settings })
  await expect(wrong({ customOps: ['/nowhere/ops.so'] })).rejects.toThrow('/nowhere/ops.so')
  const provider = (name: string) => wrong({ providers: [{ name, options: { device_id: '0' } }] })
  await expect(provider('openvino')).rejects.toThrow('OpenVINO')
  // These two are built in but their shared libraries are not installed here (on a GPU machine the options are taken).
  await provider('cuda').catch((error) => expect(error.code).toBeTypeOf('number'))
  await provider('tensorrt').catch((error) => expect(error.code).toBeTypeOf('number'))
})

test('numbers cross the border both ways', async () => {
  const session = await open('scalar')
  const input = ort.allocate(4)
  new Float32Array(input.bytes.buffer)[0] = 42
  const value = ort.tensor(input.address, 4, [], 1)
  expect(ort.describe(value)).toEqual({ elementType: 1, shape: [] })
  expect(ort.dataOf(value)).toBe(input.address)
  const { PointerTable } = await import('../../../native/onnxruntime/pointer-table.ts')
  const names = ['X', 'Y'].map((name) => {
    const memory = ort.allocate(2)
    memory.bytes.set([name.charCodeAt(0), 0])
    return memory
  })
  const [inNames, inValues, outNames, outValues] = [1, 1, 1, 1].map((n) => new PointerTable(n))
  inNames!.set(0, names[0]!.address)
  outNames!.set(0, names[1]!.address)
  inValues!.set(0, value)
  const options = ort.runOptions({ 'memory.enable_memory_arena_shrinkage': 'cpu:0' })
  const run = () =>
    api.check(
      api.run(
        session.pointer,
        options.pointer,
        inNames!.address,
        inValues!.address,
        1,
        outNames!.address,
        1,
        outValues!.address,
      ),
    )
  run()
  expect(koffi.decode(BigInt(ort.dataOf(outValues!.get(0))), 'float')).toBe(-42)
  api.releaseValue(outValues!.get(0))
  outValues!.set(0, 0)

  options.terminate()
  expect(run).toThrow(/terminate/)
  expect(options.reset()).toBe(true)
  expect(options.reset()).toBe(false)
  run()
  api.releaseValue(outValues!.get(0))
  api.releaseValue(value)
  options.close()
  options.close()
  await session.close()
})

test('a tensor larger than its memory is refused by ONNX Runtime, not read', () => {
  const memory = ort.allocate(16)
  expect(() => ort.tensor(memory.address, 16, [5], 1)).toThrow(/not enough space|buffer/i)
})

test('strings cross with their NUL bytes', () => {
  const elements = [[], [0], [97, 0, 98], [255, 254]].map((bytes) => Uint8Array.from(bytes))
  const value = ort.stringTensor(elements, [2, 2])
  expect(ort.describe(value)).toEqual({ elementType: 8, shape: [2, 2] })
  expect(ort.strings(value, 4).map((e) => [...e])).toEqual(elements.map((e) => [...e]))
  api.releaseValue(value)
  const none = ort.stringTensor([], [0])
  expect(ort.strings(none, 0)).toEqual([])
  api.releaseValue(none)
})

test('a load is stopped by its signal', async () => {
  const abort = new AbortController()
  const opening = ort.openSession({
    env,
    model: `${FIXTURES}/slow.onnx`,
    settings: {},
    signal: abort.signal,
  })
  abort.abort(new Error('enough'))
  await expect(opening).rejects.toThrow('enough')
})

test('sessions of an environment with shared threads run', async () => {
  const { spawnSync } = await import('node:child_process')
  // In a process of its own: an environment exists once per process.
  const script = `
    import { loadOnnxRuntime } from './native/onnxruntime/runtime.ts'
    const ort = loadOnnxRuntime()
    const env = ort.openEnv({ globalThreads: { intraOp: 1, interOp: 1 } })
    const session = await ort.openSession({ env, model: '${FIXTURES}/tiny_mlp.onnx', settings: { sharedThreads: true } })
    console.log(session.inputs[0].name)
    await session.close()
    env.close()`
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', script],
    { cwd: new URL('../../..', import.meta.url), encoding: 'utf8' },
  )
  expect({ stdout, stderr }).toEqual({ stdout: 'x\n', stderr: '' })
})
