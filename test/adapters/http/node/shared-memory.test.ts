import { afterEach, describe, expect, it } from 'vitest'
import { ServerError } from '../../../../core/errors.ts'
import { createSharedMemory } from '../../../../core/shared-memory/regions.ts'
import { type MemoryShm, memoryShm } from '../../../helpers/memory-shm.ts'
import { type RawConnection, rawConnection } from '../../../helpers/raw-http.ts'
import { type Serving, serve } from '../../../helpers/serve.ts'

const FLOATS = 32 * 1024
const BYTES = FLOATS * 4
const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface SetUp {
  readonly host: MemoryShm
  readonly serving: Serving
  readonly connection: RawConnection
  readonly floats: Float32Array
  readonly unregister: () => void
}

async function setUp(paused = false): Promise<SetUp> {
  const floats = new Float32Array(3 * FLOATS)
  const host = memoryShm({ mem: new Uint8Array(floats.buffer) })
  const sharedMemory = createSharedMemory({ host, enabled: true })
  sharedMemory.registerSystem({ name: 'r', key: 'mem', offset: 0, byteSize: 3 * BYTES, owner: '' })
  const serving = await serve({ backend: { paused }, http: { sharedMemory } })
  closing.push(() => serving.close())
  const connection = await rawConnection(serving.port)
  closing.push(() => void connection.socket.destroy())
  return {
    host,
    serving,
    connection,
    floats,
    unregister: () => sharedMemory.unregisterSystem('', ''),
  }
}

const part = (index: number) => ({
  shared_memory_region: 'r',
  shared_memory_offset: index * BYTES,
  shared_memory_byte_size: BYTES,
})
const json = (id: string, to: object | undefined, shape = [1, FLOATS]): string =>
  JSON.stringify({
    ...(id === '' ? {} : { id }),
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape, parameters: part(0) }],
    ...(to === undefined ? {} : { outputs: [{ name: 'OUTPUT0', parameters: to }] }),
  })
/** `length` says how long the JSON is in a header of its own, as some clients do. */
const http = (body: string, length = false): string =>
  `POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n${
    length ? `Inference-Header-Content-Length: ${body.length}\r\n` : ''
  }\r\n${body}`
const busy = async ({ serving }: SetUp): Promise<void> => {
  while (!serving.backend.instances[0]!.running) {
    await new Promise((resolve) => setImmediate(resolve))
  }
}
const turns = async (done: () => boolean): Promise<void> => {
  while (!done()) await new Promise((resolve) => setImmediate(resolve))
}

describe('infer requests with regions', () => {
  it.each([true, false])(
    'read fresh bytes each time, header seen before or not (length sent: %s)',
    async (length) => {
      const { floats, connection } = await setUp()
      for (let i = 0; i < 20; i++) {
        floats.fill(i, 0, FLOATS)
        connection.send(http(json(i % 3 === 0 ? '' : `id${i}`, part(1)), length))
        const answer = await connection.answer()
        expect(answer.headers['content-type']).toBe('application/json')
        expect(answer.headers['inference-header-content-length']).toBeUndefined()
        expect(JSON.parse(answer.body.toString())).toEqual({
          ...(i % 3 === 0 ? {} : { id: `id${i}` }),
          model_name: 'echo',
          model_version: '1',
          outputs: [{ name: 'OUTPUT0', datatype: 'FP32', shape: [1, FLOATS] }],
        })
        expect([floats[FLOATS], floats[2 * FLOATS - 1], floats[2 * FLOATS]]).toEqual([i, i, 0])
      }
    },
  )

  it('answer in the body where outputs have no region', async () => {
    const { floats, connection } = await setUp()
    for (let i = 0; i < 5; i++) {
      floats.fill(i, 0, FLOATS)
      connection.send(http(json('', { binary_data: true })))
      const { headers, body } = await connection.answer()
      const tail = body.subarray(Number(headers['inference-header-content-length']))
      expect(tail.length).toBe(BYTES)
      expect([tail.readFloatLE(0), tail.readFloatLE(BYTES - 4)]).toEqual([i, i])
    }
  })

  it('find out that a region of a known header is gone', async () => {
    const made = await setUp()
    const { connection } = made
    const request = http(json('', part(1)))
    for (let i = 0; i < 2; i++) {
      connection.send(request)
      expect((await connection.answer()).status).toBe(200)
    }
    made.unregister()
    expect(made.host.opened()).toBe(0)
    connection.send(request)
    const answer = await connection.answer()
    expect([answer.status, answer.body.toString()]).toEqual([
      404,
      `{"error":"Unable to find shared memory region: 'r'"}`,
    ])
  })

  it('let go of their regions when they are refused', async () => {
    const made = await setUp()
    for (const body of [json('', part(1), [1, 5]), json('', { ...part(1), x: 1 }, [9, FLOATS])]) {
      made.connection.send(http(body))
      expect((await made.connection.answer()).status).toBe(400)
    }
    made.unregister()
    expect(made.host.opened()).toBe(0)
  })

  it.each([
    ['an answer', undefined],
    ['an error', new ServerError('INTERNAL', 'broken')],
  ])('let go of their regions after %s', async (_what, error) => {
    const made = await setUp(true)
    made.connection.send(http(json('', part(1))))
    await busy(made)
    made.unregister()
    expect(made.host.opened()).toBe(1)
    made.serving.backend.instances[0]!.finish(error)
    expect((await made.connection.answer()).status).toBe(error === undefined ? 200 : 500)
    expect(made.host.opened()).toBe(0)
  })

  it.each([
    ['to a region', part(1)],
    ['to the body', { binary_data: true }],
  ])('let go of their regions when the client leaves, answer %s', async (_what, to) => {
    const made = await setUp(true)
    made.connection.send(http(json('', to)))
    await busy(made)
    made.unregister()
    made.connection.socket.destroy()
    const instance = made.serving.backend.instances[0]!
    await turns(() => instance.current[0]?.cancelled ?? false)
    expect(made.host.opened()).toBe(1)
    instance.finish()
    await turns(() => made.host.opened() === 0)
    expect(made.floats[FLOATS]).toBe(0)
  })
})
