import { connect } from 'node:http2'
import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { INFER_PATH } from '../../../adapters/grpc/routes.ts'
import { ServerError } from '../../../core/errors.ts'
import { echoRequest, floats, framed, inferBytes, RawClient } from '../../helpers/grpc-client.ts'
import {
  type ServeGrpcOptions,
  type ServingGrpc,
  serveGrpc,
  TRANSPORTS,
} from '../../helpers/serve-grpc.ts'
import { until } from '../../helpers/until.ts'

let serving: ServingGrpc
let client: RawClient

async function start(options: ServeGrpcOptions = {}): Promise<void> {
  serving = await serveGrpc(options)
  client = new RawClient(serving.target)
}
afterEach(async () => {
  client?.close()
  await serving?.close()
})

async function expectEcho(from: RawClient, values: readonly number[]): Promise<void> {
  const { code, details, response } = await from.infer(echoRequest(values))
  expect({ code, details }).toEqual({ code: status.OK, details: '' })
  const got = floats(response)
  expect(got).toHaveLength(values.length)
  expect(got.findIndex((value, i) => value !== values[i])).toBe(-1)
}

const SLOW = { backend: { paused: true } } as const

describe.each(Object.keys(TRANSPORTS) as (keyof typeof TRANSPORTS)[])(
  'ModelInfer on the %s transport',
  (transport) => {
    it('answers with the tensors, the id and the version', async () => {
      await start({ transport })
      const first = await client.infer(echoRequest([1, 2, 3], { id: 'a' }))
      const second = await client.infer(echoRequest([4, 5, 6], { id: 'b' }))
      expect(first).toMatchObject({ code: status.OK })
      expect([first, second].map(({ response }) => response?.id)).toEqual(['a', 'b'])
      expect([first, second].map(({ response }) => floats(response))).toEqual([
        [1, 2, 3],
        [4, 5, 6],
      ])
      expect(first.response).toMatchObject({ modelName: 'echo', modelVersion: '1' })
    })

    it('takes and gives tensors of megabytes', async () => {
      await start({ transport })
      const values = Array.from({ length: 700_000 }, (_, i) => i)
      await expectEcho(client, values)
    })

    it('says what is wrong with code and text', async () => {
      await start({ transport })
      expect(await client.infer({ modelName: 'nope' })).toMatchObject({
        code: status.NOT_FOUND,
        details: "Request for unknown model: 'nope' is not found",
      })
      expect(await client.infer(echoRequest([1], { modelVersion: 'x' }))).toMatchObject({
        code: status.INVALID_ARGUMENT,
      })
    })
  },
)

describe('a message that is no ModelInferRequest', () => {
  it('is INTERNAL', async () => {
    await start()
    const outcome = await client.unary(INFER_PATH, Uint8Array.of(0x0a, 0x7f))
    expect(outcome.code).toBe(status.INTERNAL)
  })

  it('is refused when it is empty, as a request for a model without name', async () => {
    await start()
    const outcome = await client.unary(INFER_PATH, new Uint8Array(0))
    expect(outcome).toMatchObject({
      code: status.NOT_FOUND,
      details: "Request for unknown model: '' is not found",
    })
  })
})

describe('an error of the backend', () => {
  it('comes with its code, and its text in UTF-8', async () => {
    await start()
    serving.backend.instances[0]!.failNext(new ServerError('UNAVAILABLE', '100 % größer\n'))
    expect(await client.infer(echoRequest([1]))).toMatchObject({
      code: status.UNAVAILABLE,
      details: '100 % größer\n',
    })
  })

  it('does not tell of our own bugs', async () => {
    await start({
      backend: {
        compute: () => {
          throw new Error('secret')
        },
      },
    })
    const outcome = await client.infer(echoRequest([1]))
    expect(outcome.code).toBe(status.INTERNAL)
    expect(outcome.details).not.toContain('secret')
  })
})

describe('a deadline', () => {
  it('that passes while the model runs ends the call and cancels the run', async () => {
    await start(SLOW)
    const outcome = await client.infer(echoRequest([1]), { deadline: Date.now() + 50 })
    expect(outcome.code).toBe(status.DEADLINE_EXCEEDED)
    const instance = serving.backend.instances[0]!
    await until(() => instance.current[0]?.cancelled === true)
    instance.finish()
    expect(serving.server.inflight).toBe(0)
  })

  it('that passes in the queue cancels what waits there', async () => {
    await start(SLOW)
    const running = client.infer(echoRequest([1]))
    await until(() => serving.server.inflight === 1)
    const outcome = await client.infer(echoRequest([2]), { deadline: Date.now() + 50 })
    expect(outcome.code).toBe(status.DEADLINE_EXCEEDED)
    await until(() => serving.server.inflight === 1)
    serving.backend.instances[0]!.paused = false
    serving.backend.instances[0]!.finish()
    expect((await running).code).toBe(status.OK)
    expect(serving.backend.instances[0]!.batches).toHaveLength(1)
  })
})

describe('a call that its client cancels', () => {
  it('frees its place and is counted', async () => {
    await start(SLOW)
    const running = client.start(INFER_PATH, inferBytes(echoRequest([1])))
    const queued = client.start(INFER_PATH, inferBytes(echoRequest([2])))
    await until(() => serving.server.inflight === 2)
    queued.cancel()
    await until(() => serving.server.inflight === 1)
    running.cancel()
    expect((await running.outcome).code).toBe(status.CANCELLED)
    expect((await queued.outcome).code).toBe(status.CANCELLED)
    const instance = serving.backend.instances[0]!
    await until(() => instance.current[0]?.cancelled === true)
    instance.finish()
    expect(serving.server.inflight).toBe(0)
    await until(() => serving.grpc.calls === 0)
    // The one that ran was not stopped in time: it succeeded for nobody.
    const [entry] = serving.server.statistics('echo')
    expect(entry?.stats.failures.CANCELED).toBe(1)
  })

  it('frees its place when the connection breaks', async () => {
    await start(SLOW)
    const session = connect(`http://${serving.target}`)
    session.on('error', () => {})
    const call = session.request({
      ':method': 'POST',
      ':path': INFER_PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    call.on('error', () => {})
    call.end(framed(inferBytes(echoRequest([1]))))
    await until(() => serving.server.inflight === 1)
    session.destroy()
    const instance = serving.backend.instances[0]!
    await until(() => instance.current[0]?.cancelled === true)
    instance.finish()
    expect(serving.server.inflight).toBe(0)
  })
})

describe('compression', () => {
  it.each(['gzip', 'deflate'] as const)('reads %s messages', async (coding) => {
    await start()
    const options = { 'grpc.default_compression_algorithm': coding === 'gzip' ? 2 : 1 } as const
    const zipped = new RawClient(serving.target, options)
    const values = Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 65_521)
    await expectEcho(zipped, values)
    await expectEcho(zipped, [1])
    zipped.close()
  })

  it.each(['low', 'high'] as const)(
    'of responses at level %s is undone by clients',
    async (compression) => {
      await start({ grpc: { compression } })
      for (const length of [1, 1000, 300_000]) {
        const values = Array.from({ length }, (_, i) => i % 5)
        await expectEcho(client, values)
      }
    },
  )
})
