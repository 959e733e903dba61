import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { posixSharedMemory } from '../../adapters/shared-memory/posix.ts'
import { createSharedMemory } from '../../core/shared-memory/regions.ts'
import type { SharedMemory } from '../../core/shared-memory/types.ts'
import { NO_DEV_SHM, type ShmObject, shmObject } from '../helpers/dev-shm.ts'
import type { FakeInstance } from '../helpers/fake-backend.ts'
import { type InferStream, RawClient } from '../helpers/grpc-client.ts'
import { send } from '../helpers/http.ts'
import { serve } from '../helpers/serve.ts'
import { serveGrpc } from '../helpers/serve-grpc.ts'

/** Requests whose region goes away, or shrinks, while they run. */
const ROUNDS = 1000
const BYTES = 64 * 1024
const PART = BYTES / 2
const FLOATS = PART / 4

/** A piece of the region `r`. */
interface Part {
  readonly offset: bigint
  readonly size: bigint
}

/** A door that takes requests whose tensors are in shared memory. */
interface Door {
  readonly name: string
  open(sharedMemory: SharedMemory): Promise<Opened>
}

interface Opened {
  readonly instance: FakeInstance
  /** `ok`, or the error's text. */
  infer(input: Part, output: Part): Promise<string>
  close(): Promise<void>
}

const INPUT: Part = { offset: 0n, size: BigInt(PART) }
const OUTPUT: Part = { offset: BigInt(PART), size: BigInt(PART) }

function grpcMessage(input: Part, output: Part) {
  const int = (value: bigint) => ({ parameterChoice: { case: 'int64Param' as const, value } })
  const parameters = ({ offset, size }: Part) => ({
    shared_memory_region: { parameterChoice: { case: 'stringParam' as const, value: 'r' } },
    shared_memory_offset: int(offset),
    shared_memory_byte_size: int(size),
  })
  return {
    modelName: 'echo',
    inputs: [
      {
        name: 'INPUT0',
        datatype: 'FP32',
        shape: [1n, BigInt(FLOATS)],
        parameters: parameters(input),
      },
    ],
    outputs: [{ name: 'OUTPUT0', parameters: parameters(output) }],
  }
}

async function grpc(
  sharedMemory: SharedMemory,
  connect: (client: RawClient) => Opened['infer'],
): Promise<Opened> {
  const serving = await serveGrpc({ backend: { paused: true }, grpc: { sharedMemory } })
  const client = new RawClient(serving.target)
  return {
    instance: serving.backend.instances[0]!,
    infer: connect(client),
    async close() {
      client.close()
      await serving.close()
    },
  }
}

const DOORS: readonly Door[] = [
  {
    name: 'ModelInfer',
    open: (sharedMemory) =>
      grpc(sharedMemory, (client) => async (input, output) => {
        const { code, details } = await client.infer(grpcMessage(input, output))
        return code === 0 ? 'ok' : details
      }),
  },
  {
    name: 'ModelStreamInfer',
    open: (sharedMemory) => {
      let stream: InferStream | undefined
      let sent = 0
      return grpc(sharedMemory, (client) => async (input, output) => {
        stream ??= client.inferStream()
        stream.send(grpcMessage(input, output))
        await stream.received(++sent)
        return stream.answers[sent - 1]?.errorMessage || 'ok'
      })
    },
  },
  {
    name: 'infer as events',
    async open(sharedMemory) {
      const serving = await serve({
        backend: { paused: true },
        inferStream: true,
        http: { sharedMemory },
      })
      const text = ({ offset, size }: Part): string =>
        `{"shared_memory_region":"r","shared_memory_offset":${offset},"shared_memory_byte_size":${size}}`
      return {
        instance: serving.backend.instances[0]!,
        async infer(input, output) {
          const answer = await send({
            url: `${serving.url}/v2/models/echo/infer`,
            method: 'POST',
            headers: { accept: 'text/event-stream' },
            body: `{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,${FLOATS}],"parameters":${text(input)}}],"outputs":[{"name":"OUTPUT0","parameters":${text(output)}}]}`,
          })
          const said = answer.body.toString()
          return /"error":"([^"]*)"/.exec(said)?.[1] ?? (answer.status === 200 ? 'ok' : said)
        },
        close: () => serving.close(),
      }
    },
  },
]

const openFiles = (): number => readdirSync('/proc/self/fd').length

describe.skipIf(NO_DEV_SHM !== undefined).each(DOORS)('$name', ({ name, open }) => {
  let object: ShmObject
  let sharedMemory: SharedMemory
  let door: Opened

  beforeAll(async () => {
    object = shmObject(name.replaceAll(' ', '-'), BYTES)
    sharedMemory = createSharedMemory({ host: await posixSharedMemory(), enabled: true })
    door = await open(sharedMemory)
  })
  afterAll(async () => {
    await door.close()
    object.remove()
  })
  const register = (): void =>
    sharedMemory.registerSystem({
      name: 'r',
      key: object.key,
      offset: 0,
      byteSize: BYTES,
      owner: '',
    })
  /** Asks, and lets the model run it when `meanwhile` is done. */
  const infer = async (meanwhile: () => void): Promise<string> => {
    const asked = door.infer(INPUT, OUTPUT)
    while (!door.instance.running) await new Promise((resolve) => setImmediate(resolve))
    meanwhile()
    door.instance.finish()
    return asked
  }

  it.each([
    -(2n ** 63n),
    -1n,
    BigInt(BYTES) + 1n,
    2n ** 31n,
    2n ** 32n,
    2n ** 53n + 1n,
    2n ** 63n - BigInt(PART),
    2n ** 63n - 1n,
  ])('never leaves a region by an offset or a size of %s', async (number) => {
    register()
    object.write(0, new Uint8Array(BYTES).fill(0xee))
    const before = door.instance.batches.length
    const [at, size] = [{ offset: number }, { size: number }]
    for (const change of [at, size, { ...at, ...size }]) {
      const wrong =
        /^(Invalid offset|invalid|Unable|unexpected|Unexpected|.*shared_memory|.*expect|.*range)/
      expect(await door.infer({ ...INPUT, ...change }, OUTPUT)).toMatch(wrong)
      expect(await door.infer(INPUT, { ...OUTPUT, ...change })).toMatch(wrong)
    }
    expect(door.instance.batches).toHaveLength(before)
    expect(object.read(0, BYTES).equals(Buffer.alloc(BYTES, 0xee))).toBe(true)
    sharedMemory.unregisterSystem('', '')
  })

  it('serves a request whose region is unregistered meanwhile, with its own bytes', async () => {
    // The first one opens the connection.
    await door.infer(INPUT, OUTPUT)
    const before = openFiles()
    const bytes = new Uint8Array(PART)
    const view = new DataView(bytes.buffer)
    for (let round = 0; round < ROUNDS; round++) {
      view.setUint32(0, round)
      object.write(0, bytes)
      register()
      const answer = await infer(() => {
        sharedMemory.unregisterSystem(round % 2 === 0 ? 'r' : '', '')
        // Another region of the same name is not this request's.
        if (round % 3 === 0) register()
        object.write(0, new Uint8Array(8).fill(0xaa))
      })
      expect(answer).toBe('ok')
      expect(object.read(PART, 4).readUInt32BE(0)).toBe(round)
      if (round % 3 === 0) sharedMemory.unregisterSystem('', '')
    }
    expect(sharedMemory.systemStatus('', '')).toEqual([])
    expect(openFiles()).toBe(before)
  })

  it('refuses an object that shrank before the request', async () => {
    register()
    for (let round = 0; round < ROUNDS; round++) {
      object.truncate((round * 37) % PART)
      expect(await door.infer(INPUT, OUTPUT)).toBe("unable to read shared memory region: 'r'")
      object.truncate(BYTES)
    }
    sharedMemory.unregisterSystem('', '')
  })

  it('survives an object that shrinks while it feeds a run, and refuses the answer', async () => {
    register()
    for (let round = 0; round < ROUNDS; round++) {
      object.truncate(BYTES)
      object.write(0, new Uint8Array(PART).fill(round))
      let fed: number | undefined
      const answer = await infer(() => {
        object.truncate((round * 37) % BYTES)
        fed = door.instance.current[0]?.inputs[0]?.data[PART - 1]
      })
      expect(fed).toBe(round % 256)
      expect(answer).toBe("unable to write shared memory region: 'r'")
    }
    object.truncate(BYTES)
    object.write(0, new Uint8Array(PART).fill(9))
    expect(await infer(() => {})).toBe('ok')
    expect(object.read(PART, PART).equals(Buffer.alloc(PART, 9))).toBe(true)
    sharedMemory.unregisterSystem('', '')
  })
})
