import { describe, expect, it } from 'vitest'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../../core/protocol/limits.ts'
import { createRestHandler, type RestOptions } from '../../../../core/protocol/rest/handlers.ts'
import type { ServedModel } from '../../../../core/server-types.ts'
import { createSharedMemory } from '../../../../core/shared-memory/regions.ts'
import { type MemoryShm, memoryShm } from '../../../helpers/memory-shm.ts'
import { fakeLogControl, fakeModel, fakeServer, text, utf8 } from './fake-server.ts'

interface Answer {
  readonly status: number
  readonly body: string
}

function setUp(options: { readonly enabled?: boolean; readonly model?: ServedModel } = {}) {
  const floats = new Uint8Array(Float32Array.from({ length: 64 }, (_, i) => i / 2).buffer)
  const host: MemoryShm = memoryShm({ mem: floats })
  const setup: RestOptions = {
    server: fakeServer(options.model ?? fakeModel()),
    limits: DEFAULT_PROTOCOL_LIMITS,
    logControl: fakeLogControl(),
    sharedMemory: createSharedMemory({ host, enabled: options.enabled ?? true }),
  }
  const handle = createRestHandler(setup)
  const ask = async (method: string, path: string, body: unknown = ''): Promise<Answer> => {
    const bytes = utf8(typeof body === 'string' ? body : JSON.stringify(body))
    const answer = await handle({ method, path, header: () => undefined, body: async () => bytes })
    const joined = answer.body.map(text).join('')
    answer.release?.()
    return { status: answer.status, body: joined }
  }
  return { host, ask }
}

const SYSTEM = '/v2/systemsharedmemory'
const CUDA = '/v2/cudasharedmemory'
const MEM = { key: '/mem', offset: 0, byte_size: 256 }
const error = (status: number, message: string): Answer => ({
  status,
  body: JSON.stringify({ error: message }),
})
const EMPTY: Answer = { status: 200, body: '' }

describe('the routes of system regions', () => {
  it('register, list and unregister', async () => {
    const { ask } = setUp()
    expect(await ask('GET', `${SYSTEM}/status`)).toEqual({ status: 200, body: '[]' })
    expect(await ask('POST', `${SYSTEM}/region/b/register`, MEM)).toEqual(EMPTY)
    expect(
      await ask('POST', `${SYSTEM}/region/a/register`, { byte_size: 8, key: 'mem', x: 1 }),
    ).toEqual(EMPTY)
    const a = '{"name":"a","key":"mem","offset":0,"byte_size":8}'
    const b = '{"name":"b","key":"/mem","offset":0,"byte_size":256}'
    expect((await ask('GET', `${SYSTEM}/status`)).body).toBe(`[${a},${b}]`)
    expect((await ask('GET', `${SYSTEM}/region/a/status`)).body).toBe(`[${a}]`)
    expect(await ask('POST', `${SYSTEM}/region/a/unregister`)).toEqual(EMPTY)
    expect(await ask('POST', `${SYSTEM}/region/a/unregister`)).toEqual(EMPTY)
    expect((await ask('GET', `${SYSTEM}/status`)).body).toBe(`[${b}]`)
    expect(await ask('POST', `${SYSTEM}/unregister`)).toEqual(EMPTY)
    expect((await ask('GET', `${SYSTEM}/status`)).body).toBe('[]')
  })

  it.each([
    ['/register', MEM, "'region name' is necessary to register system shared memory region"],
    ['/region/r/register', '', "Shared memory register request has no 'key' field"],
    ['/region/r/register', {}, "Shared memory register request has no 'key' field"],
    ['/region/r/register', { key: 'x' }, "Shared memory register request has no 'byte_size' field"],
    ['/region/r/register', { key: 5 }, 'attempt to access JSON non-string as string'],
    [
      '/region/r/register',
      { key: 'x', offset: -1 },
      'attempt to access JSON non-unsigned-integer as unsigned-integer',
    ],
    [
      '/region/r/register',
      '{"key":"mem","byte_size":18446744073709551615,"offset":8}',
      "failed to register shared memory region 'r': invalid args",
    ],
    ['/region/old/register', MEM, "shared memory region 'old' already in manager"],
  ])('refuse %s with %j', async (path, body, message) => {
    const { ask } = setUp()
    await ask('POST', `${SYSTEM}/region/old/register`, MEM)
    expect(await ask('POST', SYSTEM + path, body)).toEqual(error(400, message))
  })

  it('tell what is not there', async () => {
    const { ask } = setUp()
    expect(await ask('POST', `${SYSTEM}/region/r/register`, { ...MEM, key: '/no' })).toEqual(
      error(500, "Unable to open shared memory region: '/no'"),
    )
    expect(await ask('GET', `${SYSTEM}/region/r/status`)).toEqual(
      error(404, "Unable to find system shared memory region: 'r'"),
    )
  })

  it('are refused before anything else where clients may not register', async () => {
    const { ask } = setUp({ enabled: false })
    const refused = error(
      501,
      "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable.",
    )
    for (const base of [SYSTEM, CUDA]) {
      expect(await ask('POST', `${base}/register`, '{')).toEqual(refused)
      expect(await ask('POST', `${base}/region/r/unregister`)).toEqual(refused)
      expect((await ask('GET', `${base}/status`)).body).toBe('[]')
    }
  })
})

describe('the routes of CUDA regions', () => {
  const cuda = (b64: string) => ({ raw_handle: { b64 }, byte_size: 4, device_id: 0 })
  const handle = "'raw_handle' must be a valid base64 encoded cudaIpcMemHandle_t"
  it.each([
    ['/register', '', "'region name' is necessary to register cuda shared memory region"],
    ['/region/g/register', {}, "Shared memory register request has no 'raw_handle' field"],
    [
      '/region/g/register',
      { raw_handle: {} },
      "attempt to access non-existing object member 'b64'",
    ],
    ['/region/g/register', cuda('AAA='), handle],
    ['/region/g/register', cuda('****'), handle],
    [
      '/region/g/register',
      cuda(btoa('x'.repeat(64))),
      "failed to register CUDA shared memory region: 'g', GPUs not supported",
    ],
  ])('refuse %s with %j', async (path, body, message) => {
    expect(await setUp().ask('POST', CUDA + path, body)).toEqual(error(400, message))
  })

  it('know no region', async () => {
    const { ask } = setUp()
    expect((await ask('GET', `${CUDA}/status`)).body).toBe('[]')
    expect(await ask('POST', `${CUDA}/region/g/unregister`)).toEqual(EMPTY)
    expect(await ask('GET', `${CUDA}/region/g/status`)).toEqual(
      error(404, "Unable to find cuda shared memory region: 'g'"),
    )
  })
})

describe('an infer request with regions', () => {
  const INFER = '/v2/models/echo/infer'
  const part = (offset: number, size: number, region = 'r') => ({
    shared_memory_region: region,
    shared_memory_offset: offset,
    shared_memory_byte_size: size,
  })
  const input = (parameters: object) => ({
    name: 'INPUT0',
    datatype: 'FP32',
    shape: [1, 2],
    parameters,
  })
  const request = (from: object, to?: object) => ({
    inputs: [input(from)],
    ...(to === undefined ? {} : { outputs: [{ name: 'OUTPUT0', parameters: to }] }),
  })
  const ready = async (model?: ServedModel) => {
    const made = setUp(model === undefined ? {} : { model })
    await made.ask('POST', `${SYSTEM}/region/r/register`, { ...MEM, offset: 8, byte_size: 200 })
    return made
  }

  it('reads inputs there and writes outputs there', async () => {
    const { host, ask } = await ready()
    expect(await ask('POST', INFER, request(part(8, 8), part(32, 100)))).toEqual({
      status: 200,
      body: '{"model_name":"echo","model_version":"1","outputs":[{"name":"OUTPUT0","datatype":"FP32","shape":[1,2]}]}',
    })
    expect([...new Float32Array(host.objects.get('mem')!.buffer, 36, 4)]).toEqual([4.5, 2, 2.5, 6])
    expect(host.opened()).toBe(1)
  })

  it('answers in the body where only the input lies there', async () => {
    const { ask } = await ready()
    expect((await ask('POST', INFER, request(part(8, 8)))).body).toContain('"data":[2.0,2.5]')
  })

  it.each([
    [part(0, 8, 'zz'), part(0, 8), 404, "Unable to find shared memory region: 'zz'"],
    [part(0, 8, 'zz'), part(0, 8, 'yy'), 404, "Unable to find shared memory region: 'zz'"],
    [part(0, 8), part(0, 8, 'yy'), 404, "Unable to find shared memory region: 'yy'"],
    [part(200, 8), part(0, 8), 400, "Invalid offset for shared memory region: 'r'"],
    [part(199, 8), part(0, 8), 400, "Invalid offset + byte size for shared memory region: 'r'"],
    [part(0, 8), part(2 ** 63, 8), 400, "Invalid offset for shared memory region: 'r'"],
    [
      part(0, 8),
      part(0, 4),
      500,
      "shared memory size specified with the request for output 'OUTPUT0' (4 bytes) should be at least 8 bytes to hold the results",
    ],
    [
      part(0, 8),
      { ...part(0, 8), classification: 1 },
      400,
      "Output can't set both 'shared_memory_region' and 'classification'",
    ],
    [
      part(0, 8),
      { ...part(0, 8), binary_data: true },
      400,
      "Output can't set both 'shared_memory_region' and 'binary_data'",
    ],
    [
      { ...part(0, 8), shared_memory_region: 5 },
      part(0, 8),
      400,
      "Unable to parse 'shared_memory_region': attempt to access JSON non-string as string",
    ],
    [
      { ...part(0, 8), shared_memory_offset: -1 },
      part(0, 8),
      400,
      "Unable to parse 'shared_memory_offset': attempt to access JSON non-unsigned-integer as unsigned-integer",
    ],
  ])('is refused for %j and %j', async (from, to, status, message) => {
    const { host, ask } = await ready()
    expect(await ask('POST', INFER, request(from, to))).toEqual(error(status, message))
    await ask('POST', `${SYSTEM}/unregister`)
    expect(host.opened()).toBe(0)
  })

  it('holds its regions until its answer, whatever that is', async () => {
    const ends: (() => void)[] = []
    const model = fakeModel({
      submit: (one) => {
        const [tensor] = one.inputs
        ends.push(() => one.respond({ outputs: [{ ...tensor!, name: 'OUTPUT0' }] }))
      },
    })
    const { host, ask } = await ready(model)
    const pending = ask('POST', INFER, request(part(8, 8), part(0, 8)))
    await ask('GET', `${SYSTEM}/status`)
    await ask('POST', `${SYSTEM}/unregister`)
    expect((await ask('GET', `${SYSTEM}/status`)).body).toBe('[]')
    expect(host.opened()).toBe(1)
    ends[0]!()
    expect((await pending).status).toBe(200)
    expect([...new Float32Array(host.objects.get('mem')!.buffer, 8, 2)]).toEqual([2, 2.5])
    expect(host.opened()).toBe(0)
  })
})
