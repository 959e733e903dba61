import { afterEach, expect, it } from 'vitest'
import { ServerError } from '../../../core/errors.ts'
import { createSharedMemory } from '../../../core/shared-memory/regions.ts'
import { floats, RawClient } from '../../helpers/grpc-client.ts'
import { memoryShm } from '../../helpers/memory-shm.ts'
import { type ServingGrpc, serveGrpc } from '../../helpers/serve-grpc.ts'
import { until } from '../../helpers/until.ts'

let serving: ServingGrpc
let client: RawClient
/** With each lease that was closed: whether its memory may be used again. */
let closed: boolean[] = []

afterEach(async () => {
  client.close()
  await serving.close()
})

async function start(): Promise<void> {
  closed = []
  const bytes = new Uint8Array(new Float32Array([1, 2]).buffer)
  const memory = createSharedMemory({ host: memoryShm({ shm: bytes }), enabled: true })
  memory.registerSystem({ name: 'r', key: '/shm', offset: 0, byteSize: 8, owner: '' })
  const take = memory.lease.bind(memory)
  memory.lease = (owner) => {
    const lease = take(owner)
    const close = lease.close.bind(lease)
    let first = true
    lease.close = (answered = false) => {
      if (first) closed.push(answered)
      first = false
      close(answered)
    }
    return lease
  }
  serving = await serveGrpc({ grpc: { sharedMemory: memory } })
  client = new RawClient(serving.target)
}

const request = () => ({
  modelName: 'echo',
  inputs: [
    {
      name: 'INPUT0',
      datatype: 'FP32',
      shape: [1n, 2n],
      parameters: {
        shared_memory_region: { parameterChoice: { case: 'stringParam' as const, value: 'r' } },
        shared_memory_byte_size: { parameterChoice: { case: 'int64Param' as const, value: 8n } },
      },
    },
  ],
})

it.each(['unary', 'stream'])(
  'memory of a region’s copy is used again after a %s answer, not after an error',
  async (kind) => {
    await start()
    const ask = async (): Promise<unknown> => {
      if (kind === 'unary') {
        const { code, response } = await client.infer(request())
        return code === 0 ? floats(response) : code
      }
      const stream = client.inferStream()
      stream.send(request())
      stream.end()
      await stream.status
      const [one] = stream.answers
      return one?.errorMessage === '' ? floats(one.inferResponse) : one?.errorMessage
    }
    expect(await ask()).toEqual([1, 2])
    await until(() => closed.length === 1)
    expect(closed).toEqual([true])
    serving.backend.instances[0]?.failNext(new ServerError('INTERNAL', 'broken'))
    await ask()
    await until(() => closed.length === 2)
    expect(closed).toEqual([true, false])
  },
)
