import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { posixSharedMemory } from '../../adapters/shared-memory/posix.ts'
import { createSharedMemory } from '../../core/shared-memory/regions.ts'
import type { SharedMemory } from '../../core/shared-memory/types.ts'
import { NO_DEV_SHM, type ShmObject, shmObject } from '../helpers/dev-shm.ts'
import { send } from '../helpers/http.ts'
import { rawConnection } from '../helpers/raw-http.ts'
import { type Serving, serve } from '../helpers/serve.ts'

const SIZE = 4096
const ROUNDS = 10_000
const openFiles = (): number => readdirSync('/proc/self/fd').length

describe.skipIf(NO_DEV_SHM !== undefined)('a region', () => {
  let serving: Serving
  let object: ShmObject
  let sharedMemory: SharedMemory

  beforeAll(async () => {
    object = shmObject('bounds', SIZE)
    object.write(0, new Uint8Array(SIZE).fill(0xee))
    sharedMemory = createSharedMemory({ host: await posixSharedMemory(), enabled: true })
    serving = await serve({ backend: { paused: true }, http: { sharedMemory } })
  })
  afterAll(async () => {
    await serving.close()
    object.remove()
  })
  const post = async (path: string, body: string): Promise<string> => {
    const answer = await send({ url: serving.url + path, method: 'POST', body })
    return `${answer.status} ${answer.body.toString()}`
  }
  const register = (): void =>
    sharedMemory.registerSystem({
      name: 'r',
      key: object.key,
      offset: 0,
      byteSize: SIZE,
      owner: '',
    })

  it.each([
    '18446744073709551615',
    '18446744073709551608',
    '9223372036854775808',
    '9223372036854775807',
    '9007199254740993',
    '9007199254740991',
    '4294967296',
    '4097',
    '-1',
    '1.5',
    '1e3',
    '18446744073709551616',
    '"8"',
  ])('is never left by an offset or a size of %s', async (number) => {
    register()
    const path = '/v2/models/echo/infer'
    const at = (offset: string, size: string): string =>
      `{"shared_memory_region":"r","shared_memory_offset":${offset},"shared_memory_byte_size":${size}}`
    const request = (from: string, to: string): string =>
      `{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,2],"parameters":${from}}],"outputs":[{"name":"OUTPUT0","parameters":${to}}]}`
    for (const bad of [at(number, '8'), at('8', number), at(number, number)]) {
      expect(await post(path, request(bad, at('0', '8')))).toMatch(/^400 /)
      expect(await post(path, request(at('0', '8'), bad))).toMatch(/^400 /)
    }
    expect(serving.backend.instances[0]!.batches).toHaveLength(0)
    sharedMemory.unregisterSystem('', '')

    const bodies = [
      `{"key":"${object.key}","offset":${number},"byte_size":8}`,
      `{"key":"${object.key}","offset":8,"byte_size":${number}}`,
    ]
    for (const body of bodies) {
      expect(await post('/v2/systemsharedmemory/region/x/register', body)).toMatch(/^400 /)
    }
    expect(object.read(0, SIZE).equals(Buffer.alloc(SIZE, 0xee))).toBe(true)
  })

  it('that is unregistered while a request uses it serves that request and is closed after it', async () => {
    const connection = await rawConnection(serving.port)
    const instance = serving.backend.instances[0]!
    const part = (offset: number): object => ({
      shared_memory_region: 'r',
      shared_memory_offset: offset,
      shared_memory_byte_size: 8,
    })
    const body = JSON.stringify({
      inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 2], parameters: part(0) }],
      outputs: [{ name: 'OUTPUT0', parameters: part(8) }],
    })
    const request = `POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    const before = openFiles()
    const bytes = new Uint8Array(8)
    const view = new DataView(bytes.buffer)
    for (let i = 0; i < ROUNDS; i++) {
      view.setUint32(0, i)
      object.write(0, bytes)
      register()
      connection.send(request)
      while (!instance.running) await new Promise((resolve) => setImmediate(resolve))
      sharedMemory.unregisterSystem(i % 2 === 0 ? 'r' : '', '')
      // Another region of the same name is not this request's.
      if (i % 3 === 0) register()
      object.write(0, new Uint8Array(8).fill(0xaa))
      instance.finish()
      expect((await connection.answer()).status).toBe(200)
      expect(object.read(8, 8).readUInt32BE(0)).toBe(i)
      if (i % 3 === 0) sharedMemory.unregisterSystem('', '')
    }
    expect(sharedMemory.systemStatus('', '')).toEqual([])
    expect(openFiles()).toBe(before)
    connection.socket.destroy()
  })
})
