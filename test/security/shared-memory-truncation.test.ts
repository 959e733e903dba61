import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { posixSharedMemory } from '../../adapters/shared-memory/posix.ts'
import { createSharedMemory } from '../../core/shared-memory/regions.ts'
import { NO_DEV_SHM, type ShmObject, shmObject } from '../helpers/dev-shm.ts'
import { type RawConnection, rawConnection } from '../helpers/raw-http.ts'
import { type Serving, serve } from '../helpers/serve.ts'

/** A client may shrink its memory whenever it likes. Touching a mapping of it would end the process: nothing is mapped. */
const ROUNDS = 1000
const BYTES = 64 * 1024
const PART = BYTES / 2

describe.skipIf(NO_DEV_SHM !== undefined)('an object that shrinks after it was registered', () => {
  let serving: Serving
  let object: ShmObject
  let connection: RawConnection

  beforeAll(async () => {
    object = shmObject('truncation', BYTES)
    const sharedMemory = createSharedMemory({ host: await posixSharedMemory(), enabled: true })
    serving = await serve({ backend: { paused: true }, http: { sharedMemory } })
    connection = await rawConnection(serving.port)
    await post('/v2/systemsharedmemory/region/r/register', {
      key: object.key,
      byte_size: BYTES,
    })
  })

  afterAll(async () => {
    connection.socket.destroy()
    await serving.close()
    object.remove()
  })

  const sendJson = (path: string, body: object): void => {
    const text = JSON.stringify(body)
    connection.send(
      `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
    )
  }
  const post = async (path: string, body: object): Promise<string> => {
    sendJson(path, body)
    const answer = await connection.answer()
    return `${answer.status} ${answer.body.toString()}`
  }
  const infer = {
    inputs: [
      {
        name: 'INPUT0',
        datatype: 'FP32',
        shape: [1, PART / 4],
        parameters: { shared_memory_region: 'r', shared_memory_byte_size: PART },
      },
    ],
    outputs: [
      {
        name: 'OUTPUT0',
        parameters: {
          shared_memory_region: 'r',
          shared_memory_offset: PART,
          shared_memory_byte_size: PART,
        },
      },
    ],
  }
  /** Sends a request and waits until the model runs it. */
  const running = async (): Promise<void> => {
    sendJson('/v2/models/echo/infer', infer)
    const instance = serving.backend.instances[0]!
    while (!instance.running) await new Promise((resolve) => setImmediate(resolve))
  }
  const finish = async (): Promise<string> => {
    serving.backend.instances[0]!.finish()
    const answer = await connection.answer()
    return `${answer.status} ${answer.body.toString()}`
  }
  const unreadable = `400 {"error":"unable to read shared memory region: 'r'"}`
  const unwritable = `400 {"error":"unable to write shared memory region: 'r'"}`

  it('is a refused request when it shrank before the request', async () => {
    for (let i = 0; i < ROUNDS; i++) {
      object.truncate((i * 37) % PART)
      expect(await post('/v2/models/echo/infer', infer)).toBe(unreadable)
      object.truncate(BYTES)
    }
  })

  it('is no danger to a run that it feeds, and a refused answer', async () => {
    for (let i = 0; i < ROUNDS; i++) {
      object.truncate(BYTES)
      object.write(0, new Uint8Array(PART).fill(i))
      await running()
      object.truncate((i * 37) % BYTES)
      const { current } = serving.backend.instances[0]!
      expect(current[0]!.inputs[0]!.data[PART - 1]).toBe(i % 256)
      expect(await finish()).toBe(unwritable)
    }
  })

  it('is used again once it is whole', async () => {
    object.truncate(BYTES)
    object.write(0, new Uint8Array(PART).fill(9))
    await running()
    expect(await finish()).toMatch(/^200 /)
    expect(object.read(PART, PART).equals(Buffer.alloc(PART, 9))).toBe(true)
  })
})
