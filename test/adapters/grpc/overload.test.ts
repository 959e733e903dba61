import type { ClientHttp2Session } from 'node:http2'
import { gzipSync } from 'node:zlib'
import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { INFER_PATH, STREAM_INFER_PATH } from '../../../adapters/grpc/routes.ts'
import { ServerError } from '../../../core/errors.ts'
import { OverloadGate } from '../../../core/overload/gate.ts'
import { echoRequest, framed, inferBytes, RawClient } from '../../helpers/grpc-client.ts'
import { rawCall, rawSession } from '../../helpers/raw-grpc.ts'
import { type ServeGrpcOptions, type ServingGrpc, serveGrpc } from '../../helpers/serve-grpc.ts'
import { until } from '../../helpers/until.ts'

const SERVICE = '/inference.GRPCInferenceService'
const HEALTH = '/grpc.health.v1.Health/Check'
const HELLO = framed(inferBytes(echoRequest([1])))
const HELLO_BYTES = HELLO.length - 5
const FULL = {
  grpcStatus: String(status.UNAVAILABLE),
  grpcMessage: 'server has its limit of 1 requests in flight, try again',
}

let serving: ServingGrpc
let client: RawClient
let session: ClientHttp2Session

async function start(gates: OverloadGate, options: ServeGrpcOptions = {}): Promise<void> {
  serving = await serveGrpc({ ...options, grpc: { ...options.grpc, gates } })
  client = new RawClient(serving.target)
  session = rawSession(serving.port)
}
afterEach(async () => {
  client.close()
  session.destroy()
  await serving.close()
})

const pause = (): void => {
  for (const instance of serving.backend.instances) instance.paused = true
}
const finish = (): void => {
  for (const instance of serving.backend.instances) if (instance.running) instance.finish()
}
/** A call whose client sends `bytes` and no end. */
const unfinished = (bytes: Uint8Array) => {
  const call = session.request({
    ':method': 'POST',
    ':path': INFER_PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  call.on('error', () => {})
  call.write(bytes)
  return call
}

type End = (gate: OverloadGate) => Promise<unknown>

const raw =
  (bytes: Uint8Array, code: number, headers: Record<string, string> = {}): End =>
  async () => {
    const outcome = await rawCall(session, INFER_PATH, [bytes], { headers })
    expect(outcome.grpcStatus).toBe(String(code))
  }

const ENDS: Readonly<Record<string, End>> = {
  'an answer': raw(HELLO, 0),
  'an answer to a packed message': raw(framed(gzipSync(HELLO.subarray(5)), 1), 0, {
    'grpc-encoding': 'gzip',
  }),
  'an unknown model': async () => {
    expect((await client.infer({ modelName: 'nope' })).code).toBe(status.NOT_FOUND)
  },
  'a message that is none': raw(framed(new Uint8Array(50).fill(0xff)), status.INTERNAL),
  'two messages': raw(Buffer.concat([HELLO, HELLO]), status.UNIMPLEMENTED),
  'half a message': raw(HELLO.subarray(0, 12), status.INTERNAL),
  'an error of the model': async () => {
    serving.backend.instances[0]?.failNext(new ServerError('INTERNAL', 'broken'))
    expect((await client.infer(echoRequest([1]))).code).toBe(status.INTERNAL)
  },
  'a model that throws when it is given a request': async () => {
    Object.assign(serving.server.model('echo', ''), {
      submit: () => {
        throw new TypeError('a bug')
      },
    })
    expect((await client.infer(echoRequest([1]))).code).toBe(status.INTERNAL)
    const stream = client.inferStream()
    stream.send(echoRequest([1]))
    stream.end()
    await stream.received(1)
    expect(stream.answers[0]?.errorMessage).not.toBe('')
    expect((await stream.status).code).toBe(0)
  },
  'a version of its model that refuses it': async () => {
    Object.assign(serving.server.model('echo', ''), {
      route: () => {
        throw new ServerError('INVALID_ARG', 'not for this version')
      },
    })
    expect((await client.infer(echoRequest([1]))).details).toBe('not for this version')
    const stream = client.inferStream()
    stream.send(echoRequest([1]))
    stream.end()
    expect((await stream.status).code).toBe(0)
    expect(stream.answers[0]?.errorMessage).toBe('not for this version')
  },
  'a client that leaves before its message': async (gate) => {
    const call = unfinished(framed(new Uint8Array(0), 0, 5_000))
    await until(() => gate.inflight === 1)
    expect(gate.bytes).toBe(5_000)
    call.close()
  },
  'a connection that breaks in the middle of a message': async (gate) => {
    unfinished(framed(new Uint8Array(100), 0, 5_000))
    await until(() => gate.inflight === 1)
    session.destroy()
  },
  'a cancellation while it runs and waits': async (gate) => {
    pause()
    const calls = [1, 2].map((value) => client.start(INFER_PATH, inferBytes(echoRequest([value]))))
    await until(() => serving.server.inflight === 2)
    expect(gate.inflight).toBe(2)
    for (const call of calls) call.cancel()
    await until(() => serving.server.inflight <= 1)
    finish()
  },
  'a deadline': async () => {
    pause()
    const late = await client.infer(echoRequest([1]), { deadline: Date.now() + 50 })
    expect(late.code).toBe(status.DEADLINE_EXCEEDED)
    finish()
  },
  'the answers of a stream': async () => {
    const stream = client.inferStream()
    for (let i = 0; i < 3; i++) stream.send(echoRequest([i]))
    stream.send({ modelName: 'nope' })
    stream.end()
    expect((await stream.status).code).toBe(0)
    expect(stream.answers).toHaveLength(4)
  },
  'a stream that is cancelled with requests in flight': async (gate) => {
    pause()
    const stream = client.inferStream()
    for (let i = 0; i < 3; i++) stream.send(echoRequest([i]))
    await until(() => gate.inflight === 3)
    stream.call.cancel()
    await until(() => serving.server.inflight <= 1)
    finish()
  },
  'a stream whose connection breaks in the middle of a message': async (gate) => {
    const call = session.request({
      ':method': 'POST',
      ':path': STREAM_INFER_PATH,
      'content-type': 'application/grpc',
    })
    call.on('error', () => {})
    call.write(framed(new Uint8Array(10), 0, 700))
    await until(() => gate.bytes === 700)
    session.destroy()
  },
  'a shutdown that cuts it': async (gate) => {
    pause()
    client.infer(echoRequest([1])).catch(() => undefined)
    unfinished(HELLO.subarray(0, 12))
    await until(() => gate.inflight === 2)
    await serving.grpc.close(0)
    finish()
  },
  metadata: async () => {
    const path = `${SERVICE}/ServerMetadata`
    expect((await client.unary(path, new Uint8Array(0))).code).toBe(0)
  },
}

describe.each(['native', 'node'] as const)('a place taken over the %s transport', (transport) => {
  it.each(Object.keys(ENDS))('is free again after %s', async (name) => {
    const gate = new OverloadGate()
    await start(gate, { transport })
    await ENDS[name]?.(gate)
    await until(() => gate.inflight === 0)
    expect(gate.bytes).toBe(0)
  })

  it('is refused when there is none, before the message came, and the client is told when to come again', async () => {
    const gate = new OverloadGate({ maxInflight: 1 })
    await start(gate, { transport })
    expect(gate.enter(0)).toBeNull()
    const early = await rawCall(session, INFER_PATH, [framed(new Uint8Array(0), 0, 1_000)], {
      end: false,
    })
    expect(early).toMatchObject(FULL)
    const refused = await client.infer(echoRequest([1]))
    expect(refused.code).toBe(status.UNAVAILABLE)
    expect(refused.trailers.get('grpc-retry-pushback-ms')).toEqual(['1000'])
    expect(gate.shed.inflight).toBe(2)
    gate.leave(0)
    expect((await client.infer(echoRequest([1]))).code).toBe(0)
    await until(() => gate.inflight === 0)
  })
})

it.each([
  ['at the budget', HELLO_BYTES, 0],
  ['one byte above it', HELLO_BYTES - 1, status.UNAVAILABLE],
])('a message %s', async (_, memoryBudget, code) => {
  const gate = new OverloadGate({ memoryBudget })
  await start(gate)
  const whole = await rawCall(session, INFER_PATH, [HELLO])
  expect(whole.grpcStatus).toBe(String(code))
  const parts = [...HELLO].map((byte) => Uint8Array.of(byte))
  expect((await rawCall(session, INFER_PATH, parts)).grpcStatus).toBe(String(code))
  expect(gate).toMatchObject({ inflight: 0, bytes: 0 })
})

it('health and metadata are answered while inference is refused; health even without memory', async () => {
  const gate = new OverloadGate()
  await start(gate)
  const code = async (path: string): Promise<number> =>
    (await client.unary(path, new Uint8Array(0))).code
  gate.lagging = true
  expect((await client.infer(echoRequest([1]))).code).toBe(status.UNAVAILABLE)
  for (const path of [`${SERVICE}/ServerLive`, `${SERVICE}/ServerMetadata`, HEALTH]) {
    expect(await code(path), path).toBe(0)
  }
  gate.exhausted = true
  for (const path of [`${SERVICE}/ServerLive`, `${SERVICE}/ServerReady`, HEALTH]) {
    expect(await code(path), path).toBe(0)
  }
  expect(await code(`${SERVICE}/ServerMetadata`)).toBe(status.UNAVAILABLE)
})

it('a server that drains is not SERVING and goes on serving', async () => {
  await start(new OverloadGate())
  const health = async (): Promise<unknown> => [
    ...((await client.unary(HEALTH, new Uint8Array(0))).message ?? []),
  ]
  expect(await health()).toEqual([8, 1])
  serving.server.drain()
  expect(await health()).toEqual([8, 2])
  expect((await client.infer(echoRequest([1]))).code).toBe(0)
})
