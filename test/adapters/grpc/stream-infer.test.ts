import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { MAX_STREAM_REQUESTS } from '../../../adapters/grpc/stream-infer.ts'
import { ServerError } from '../../../core/errors.ts'
import { echoRequest, floats, RawClient } from '../../helpers/grpc-client.ts'
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

/** Two models with an instance each: one answers when the test says so. */
const ECHO = (name: string) => `
name: "${name}"
backend: "fake"
max_batch_size: 8
input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
`
const TWO = { models: { echo: ECHO('echo'), other: ECHO('other') } } as const

describe.each(Object.keys(TRANSPORTS) as (keyof typeof TRANSPORTS)[])(
  'ModelStreamInfer on the %s transport',
  (transport) => {
    it('answers each request with its id and says that it is the last answer', async () => {
      await start({ transport })
      const stream = client.inferStream()
      for (const i of [1, 2, 3]) stream.send(echoRequest([i], { id: `r${i}` }))
      stream.end()
      expect((await stream.status).code).toBe(status.OK)
      expect(stream.answers.map((one) => one.inferResponse?.id)).toEqual(['r1', 'r2', 'r3'])
      expect(stream.answers.map((one) => floats(one.inferResponse))).toEqual([[1], [2], [3]])
      for (const { errorMessage, inferResponse } of stream.answers) {
        expect(errorMessage).toBe('')
        const parameter = inferResponse?.parameters['triton_final_response']?.parameterChoice
        expect(parameter).toEqual({ case: 'boolParam', value: true })
      }
    })

    it('ends well without any request', async () => {
      await start({ transport })
      const stream = client.inferStream()
      stream.end()
      expect((await stream.status).code).toBe(status.OK)
    })

    it('carries tensors of megabytes both ways, several at a time', async () => {
      await start({ transport })
      const stream = client.inferStream()
      const values = Array.from({ length: 300_000 }, (_, i) => i)
      for (const id of ['a', 'b', 'c']) stream.send(echoRequest(values, { id }))
      stream.end()
      expect((await stream.status).code).toBe(status.OK)
      expect(stream.answers.map((one) => floats(one.inferResponse).at(-1))).toEqual([
        299_999, 299_999, 299_999,
      ])
    })
  },
)

describe('the order of a stream', () => {
  it('is that of the requests, also when a later one is done earlier', async () => {
    await start(TWO)
    const slow = serving.backend.instances[0]!
    slow.paused = true
    const slowName = serving.backend.loads[0]!.name
    const fastName = slowName === 'echo' ? 'other' : 'echo'
    const stream = client.inferStream()
    stream.send(echoRequest([1], { id: 'slow', modelName: slowName }))
    stream.send(echoRequest([2], { id: 'fast', modelName: fastName }))
    stream.send({ modelName: 'nope', id: 'wrong' })
    await until(() => serving.server.inflight === 1)
    await until(() => serving.backend.instances[1]!.batches.length === 1)
    expect(stream.answers).toEqual([])
    slow.finish()
    await stream.received(3)
    expect(stream.answers.map((one) => one.inferResponse?.id)).toEqual(['slow', 'fast', 'wrong'])
    stream.end()
    expect((await stream.status).code).toBe(status.OK)
  })
})

describe.each([
  ['small', 1, MAX_STREAM_REQUESTS + 1],
  ['large', 250_000, 40],
])('%s answers that wait for an earlier one', (_, size, most) => {
  it('are kept up to a bound, and then no more requests are read', async () => {
    await start(TWO)
    const [slow, fast] = serving.backend.instances
    slow!.paused = true
    const slowName = serving.backend.loads[0]!.name
    const fastName = slowName === 'echo' ? 'other' : 'echo'
    const total = 2 * most
    const stream = client.inferStream()
    stream.send(echoRequest([1], { id: 'slow', modelName: slowName }))
    const values = new Array<number>(size).fill(1)
    for (let i = 0; i < total; i++)
      stream.send(echoRequest(values, { id: `${i}`, modelName: fastName }))
    stream.end()
    let before = -1
    // Until nothing moves for a while.
    while (fast!.batches.length !== before || before < 2) {
      before = fast!.batches.length
      for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(fast!.batches.length).toBeLessThanOrEqual(most)
    slow!.finish()
    expect((await stream.status).code).toBe(status.OK)
    const ids = stream.answers.map((one) => one.inferResponse?.id)
    expect(ids).toEqual(['slow', ...Array.from({ length: total }, (_, i) => `${i}`)])
  })
})

describe('an error of a stream', () => {
  it('is a message with the id of its request, and the stream goes on', async () => {
    await start()
    const stream = client.inferStream()
    stream.send({ modelName: 'nope', id: '7' })
    stream.send(echoRequest([1], { id: '8' }))
    stream.end()
    expect((await stream.status).code).toBe(status.OK)
    const [wrong, right] = stream.answers
    expect(wrong?.errorMessage).toBe("Request for unknown model: 'nope' is not found")
    expect(wrong?.inferResponse).toMatchObject({ id: '7', modelName: '', parameters: {} })
    expect(right?.inferResponse?.id).toBe('8')
  })

  it('of a request that ran names model and last answer, too', async () => {
    await start({ backend: { paused: true } })
    const stream = client.inferStream()
    stream.send(echoRequest([1], { id: '7' }))
    await until(() => serving.server.inflight === 1)
    serving.backend.instances[0]!.finish(new ServerError('INTERNAL', 'broken'))
    await stream.received(1)
    expect(stream.answers[0]).toMatchObject({
      errorMessage: 'broken',
      inferResponse: { id: '7', modelName: 'echo' },
    })
    expect(stream.answers[0]?.inferResponse?.parameters['triton_final_response']).toBeDefined()
    stream.end()
    expect((await stream.status).code).toBe(status.OK)
  })

  it('ends the stream with its status where the client asked for that', async () => {
    await start()
    const stream = client.inferStream({ metadata: { triton_grpc_error: 'true' } })
    stream.send(echoRequest([1], { id: '8' }))
    stream.send({ modelName: 'nope', id: '7' })
    expect(await stream.status).toMatchObject({
      code: status.NOT_FOUND,
      details: "Request for unknown model: 'nope' is not found",
    })
    expect(stream.answers.map((one) => one.inferResponse?.id)).toEqual(['8'])
  })

  it('that is no message at all ends the stream with INTERNAL', async () => {
    await start()
    const stream = client.inferStream()
    stream.call.write(Buffer.from([0x0a, 0x7f]))
    expect((await stream.status).code).toBe(status.INTERNAL)
  })
})

describe('a stream that its client leaves', () => {
  it('cancels everything that it has in flight', async () => {
    await start({ backend: { paused: true } })
    const stream = client.inferStream()
    for (const i of [1, 2, 3, 4]) stream.send(echoRequest([i]))
    await until(() => serving.server.inflight === 4)
    stream.call.cancel()
    expect((await stream.status).code).toBe(status.CANCELLED)
    const instance = serving.backend.instances[0]!
    await until(() => instance.current.every(({ cancelled }) => cancelled))
    instance.paused = false
    instance.finish()
    await until(() => serving.server.inflight === 0 && serving.grpc.calls === 0)
  })

  it('after its deadline is told so, and what runs is cancelled', async () => {
    await start({ backend: { paused: true } })
    const stream = client.inferStream({ deadline: Date.now() + 100 })
    stream.send(echoRequest([1]))
    expect((await stream.status).code).toBe(status.DEADLINE_EXCEEDED)
    const instance = serving.backend.instances[0]!
    await until(() => instance.current.every(({ cancelled }) => cancelled))
    instance.finish()
    await until(() => serving.server.inflight === 0)
  })
})

describe('many', () => {
  it('requests of one stream are read no further than the bound, and all are answered', async () => {
    await start({ backend: { paused: true } })
    const stream = client.inferStream()
    const total = MAX_STREAM_REQUESTS + 500
    for (let i = 0; i < total; i++) stream.send(echoRequest([i], { id: String(i) }))
    stream.end()
    await until(() => serving.server.inflight === MAX_STREAM_REQUESTS)
    const instance = serving.backend.instances[0]!
    instance.paused = false
    instance.finish()
    expect((await stream.status).code).toBe(status.OK)
    const ids = stream.answers.map((one) => one.inferResponse?.id)
    expect(ids).toEqual(Array.from({ length: total }, (_, i) => String(i)))
  })

  it('streams at a time are served, each with its own answers', async () => {
    await start({ grpc: { http2: { maxConcurrentStreams: 2000 } } })
    const streams = Array.from({ length: 1500 }, () => client.inferStream())
    for (const [i, stream] of streams.entries()) stream.send(echoRequest([i], { id: `${i}` }))
    await Promise.all(streams.map((stream) => stream.received(1)))
    expect(serving.grpc.calls).toBe(1500)
    for (const stream of streams) stream.end()
    await Promise.all(streams.map((stream) => stream.status))
    expect(streams.every(({ answers }, i) => answers[0]?.inferResponse?.id === `${i}`)).toBe(true)
    await until(() => serving.grpc.calls === 0)
  })
})

describe('the shutdown', () => {
  it('answers what a stream has in flight and tells it why it ends', async () => {
    await start({ backend: { paused: true } })
    const stream = client.inferStream()
    const idle = client.inferStream()
    stream.send(echoRequest([1], { id: 'last' }))
    await until(() => serving.server.inflight === 1 && serving.grpc.calls === 2)
    const closed = serving.grpc.close(10_000)
    expect(await idle.status).toMatchObject({
      code: status.UNAVAILABLE,
      details: 'GRPC server is shutting down and has stopped accepting new requests.',
    })
    serving.backend.instances[0]!.finish()
    expect((await stream.status).code).toBe(status.UNAVAILABLE)
    expect(stream.answers.map((one) => one.inferResponse?.id)).toEqual(['last'])
    await closed
    expect(serving.grpc.connections).toBe(0)
  })
})

describe('compressed answers of a stream', () => {
  it('keep their order, whatever their size, and all come before the status', async () => {
    await start({ grpc: { compression: 'high' } })
    const stream = client.inferStream()
    const sizes = [200_000, 1, 100_000, 2, 3]
    for (const size of sizes) {
      stream.send(echoRequest(Array.from({ length: size }, (_, i) => (i * 7919) % 65_521)))
    }
    stream.end()
    expect((await stream.status).code).toBe(status.OK)
    expect(stream.answers.map(({ inferResponse }) => floats(inferResponse).length)).toEqual(sizes)
  })
})
