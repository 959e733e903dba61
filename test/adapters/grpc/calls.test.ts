import type { ClientHttp2Session } from 'node:http2'
import { gzipSync } from 'node:zlib'
import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { GRPCInferenceService } from '../../../adapters/grpc/messages/grpc_service_pb.ts'
import { INFER_PATH } from '../../../adapters/grpc/routes.ts'
import { forwardHeaders } from '../../../core/access/forward-headers.ts'
import { restrictedAccess } from '../../../core/access/restrictions.ts'
import type { Access, AccessRefusal } from '../../../core/access/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { OverloadGate } from '../../../core/overload/gate.ts'
import type { Gate } from '../../../core/overload/types.ts'
import { echoRequest, framed, inferBytes, RawClient } from '../../helpers/grpc-client.ts'
import { type RawOutcome, rawCall, rawSession } from '../../helpers/raw-grpc.ts'
import { type ServeGrpcOptions, type ServingGrpc, serveGrpc } from '../../helpers/serve-grpc.ts'
import { until } from '../../helpers/until.ts'

let serving: ServingGrpc
let session: ClientHttp2Session
let client: RawClient | undefined

async function start(options: ServeGrpcOptions = {}): Promise<void> {
  serving = await serveGrpc(options)
  session = rawSession(serving.port)
}
afterEach(async () => {
  client?.close()
  client = undefined
  session?.destroy()
  await serving?.close()
})

const LIVE = '/inference.GRPCInferenceService/ServerLive'
const HELLO = framed(inferBytes(echoRequest([1])))

const call = (
  chunks: readonly Uint8Array[],
  headers: Record<string, string> = {},
  end = true,
): Promise<RawOutcome> => rawCall(session, INFER_PATH, chunks, { headers, end })

const is = (code: number) => ({ httpStatus: 200, grpcStatus: String(code) })

describe('the paths', () => {
  it('of every method of the service exist', async () => {
    await start()
    for (const { name } of GRPCInferenceService.methods) {
      const path = `/inference.GRPCInferenceService/${name}`
      const { grpcMessage } = await rawCall(session, path, [framed(new Uint8Array(0))])
      expect(grpcMessage, name).not.toBe('unknown method')
    }
  })

  it('of nobody are UNIMPLEMENTED, other verbs 405 and other contents 415', async () => {
    await start()
    expect(await rawCall(session, '/a.B/C', [HELLO])).toMatchObject(is(status.UNIMPLEMENTED))
    const get = { ':method': 'GET' }
    expect((await rawCall(session, LIVE, [], { headers: get })).httpStatus).toBe(405)
    expect((await call([HELLO], { 'content-type': 'application/json' })).httpStatus).toBe(415)
    expect((await call([HELLO], { 'content-type': 'application/grpc-web' })).httpStatus).toBe(415)
    expect(await call([HELLO], { 'content-type': 'application/grpc+proto' })).toMatchObject(is(0))
  })
})

describe('a message', () => {
  it('is put together from frames of one byte', async () => {
    await start()
    const outcome = await call([...HELLO].map((byte) => Uint8Array.of(byte)))
    expect(outcome).toMatchObject(is(0))
    expect(outcome.body.subarray(0, 5)).toEqual(framed(outcome.body.subarray(5)).subarray(0, 5))
  })

  it.each([
    ['a flag that is neither 0 nor 1', framed(new Uint8Array(3), 7), status.INTERNAL],
    ['compression that was not announced', framed(gzipSync('x'), 1), status.INTERNAL],
    ['less than it says', framed(new Uint8Array(3), 0, 4), status.INTERNAL],
    ['a prefix that is cut', Buffer.alloc(3), status.INTERNAL],
    ['a second message', Buffer.concat([HELLO, HELLO]), status.UNIMPLEMENTED],
    ['nothing', Buffer.alloc(0), status.UNIMPLEMENTED],
  ])('with %s is refused', async (_, bytes, code) => {
    await start()
    expect(await call([bytes])).toMatchObject(is(code))
    expect(await call([HELLO])).toMatchObject(is(0))
  })

  it.each([
    ['above the limit', 101, status.RESOURCE_EXHAUSTED],
    ['at the limit', 100, status.INTERNAL],
  ])('%s is told by its length', async (_, length, code) => {
    await start({ grpc: { maxMessageBytes: 100 } })
    expect(await call([framed(new Uint8Array(length).fill(0xff))])).toMatchObject(is(code))
  })

  it('of 4 GiB is refused before any of it came', async () => {
    await start()
    const outcome = await call([framed(new Uint8Array(0), 0, 0xffff_ffff)], {}, false)
    expect(outcome).toMatchObject({
      ...is(status.RESOURCE_EXHAUSTED),
      grpcMessage: 'received message larger than max (4294967295 vs. 2147483647)',
    })
  })
})

describe('a compressed message', () => {
  const GZIP = { 'grpc-encoding': 'gzip' }

  it('that is none is refused, and so is an unknown coding, which names the known ones', async () => {
    await start()
    expect(await call([framed(new Uint8Array(9), 1)], GZIP)).toMatchObject(is(status.INTERNAL))
    const cut = gzipSync(Buffer.alloc(1000)).subarray(0, 15)
    expect(await call([framed(cut, 1)], GZIP)).toMatchObject(is(status.INTERNAL))
    const unknown = await call([HELLO], { 'grpc-encoding': 'snappy' })
    expect(unknown).toMatchObject(is(status.UNIMPLEMENTED))
    expect(unknown.headers['grpc-accept-encoding']).toBe('identity,deflate,gzip')
  })

  it('that expands beyond the ratio or the limit is given up at the bound', async () => {
    await start({ grpc: { maxMessageBytes: 8 * 1024 * 1024 } })
    const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024))
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    }, 1)
    expect(await call([framed(bomb, 1)], GZIP)).toMatchObject(is(status.RESOURCE_EXHAUSTED))
    clearInterval(watch)
    expect(most).toBeLessThan(64 * 1024 * 1024)
    const small = gzipSync(Buffer.alloc(4 * 1024 * 1024))
    expect(await call([framed(small, 1)], GZIP)).toMatchObject({
      ...is(status.RESOURCE_EXHAUSTED),
      grpcMessage: 'compressed message expands too far',
    })
  })
})

describe('grpc-timeout', () => {
  it.each(['', '1', 'S', '1s', '123456789S', '-1S', '1.5S', ' 1S', '1S 2S'])(
    '%j is refused',
    async (timeout) => {
      await start()
      expect(await call([HELLO], { 'grpc-timeout': timeout })).toMatchObject(is(status.INTERNAL))
    },
  )

  it.each(['99999999H', '1M', '60S', '60000m', '60000000u', '99999999n'])(
    '%s is kept',
    async (timeout) => {
      await start()
      expect(await call([HELLO], { 'grpc-timeout': timeout })).toMatchObject(is(0))
    },
  )

  it('that is over at once, or while the body comes, is DEADLINE_EXCEEDED', async () => {
    await start()
    const over = is(status.DEADLINE_EXCEEDED)
    expect(await call([HELLO], { 'grpc-timeout': '0n' })).toMatchObject(over)
    const half = HELLO.subarray(0, 20)
    expect(await call([half], { 'grpc-timeout': '20m' }, false)).toMatchObject(over)
    expect(serving.server.inflight).toBe(0)
  })
})

describe('access', () => {
  it("to a restricted protocol asks for Triton's metadata", async () => {
    const restriction = { apis: ['inference'], key: 'k', value: 'v' }
    await start({ grpc: { access: restrictedAccess({ http: [], grpc: [restriction] }) } })
    expect(await call([HELLO])).toMatchObject({
      ...is(status.UNAVAILABLE),
      grpcMessage: "This protocol is restricted, expecting header 'triton-grpc-protocol-k'",
    })
    expect(await call([HELLO], { 'triton-grpc-protocol-k': 'v' })).toMatchObject(is(0))
    expect(await rawCall(session, LIVE, [framed(new Uint8Array(0))])).toMatchObject(is(0))
  })

  it.each([
    ['unauthenticated', status.UNAUTHENTICATED],
    ['forbidden', status.PERMISSION_DENIED],
    ['limited', status.RESOURCE_EXHAUSTED],
  ] as const)(
    'that is %s has its code, on every path, and names operation and model',
    async (kind, code) => {
      const asked: string[] = []
      const refusal: AccessRefusal = { kind, message: 'no', retryAfterSecs: 1.5 }
      const access: Access = {
        authorize: ({ operation, model }) => {
          asked.push(`${operation} ${model}`)
          return refusal
        },
      }
      await start({ grpc: { access } })
      for (const { name } of GRPCInferenceService.methods) {
        const path = `/inference.GRPCInferenceService/${name}`
        const message = name === 'ModelInfer' ? HELLO : framed(new Uint8Array(0))
        const outcome = await rawCall(session, path, [message])
        expect(outcome, name).toMatchObject({ ...is(code), grpcMessage: 'no' })
        expect(outcome.headers['grpc-retry-pushback-ms']).toBe('1500')
      }
      expect(asked).toHaveLength(GRPCInferenceService.methods.length)
      expect(asked).toContain('infer echo')
      expect(serving.server.inflight).toBe(0)
    },
  )
})

describe('metadata that are forwarded', () => {
  it('become parameters, binary ones as their text, and reserved names are refused', async () => {
    await start({ grpc: { forward: forwardHeaders('^(x-|priority)') } })
    const headers = {
      'x-one': '1',
      'x-two-bin': Buffer.from('zwölf').toString('base64'),
      other: 'o',
    }
    for (let i = 0; i < 2; i++) expect(await call([HELLO], headers)).toMatchObject(is(0))
    for (const { requests } of serving.backend.instances[0]!.batches) {
      expect([...(requests[0]?.parameters ?? [])]).toEqual([
        ['x-one', '1'],
        ['x-two-bin', 'zwölf'],
      ])
    }
    expect(await call([HELLO], { priority: '1' })).toMatchObject({
      ...is(status.INVALID_ARGUMENT),
      grpcMessage: "Header 'priority' is reserved for Triton usage and cannot be forwarded.",
    })
  })
})

describe('the memory gate', () => {
  function countingGate(limit: number): Gate & { places: number; bytes: number } {
    const gate = {
      places: 0,
      bytes: 0,
      enter: (bytes: number) => {
        if (gate.bytes + bytes > limit) return new ServerError('UNAVAILABLE', 'full')
        gate.places++
        gate.bytes += bytes
        return null
      },
      grow: (bytes: number) => {
        if (gate.bytes + bytes > limit) return new ServerError('UNAVAILABLE', 'full')
        gate.bytes += bytes
        return null
      },
      leave: (bytes: number) => {
        gate.places--
        gate.bytes -= bytes
      },
    }
    return gate
  }

  it('is entered and left once per request, however it ends', async () => {
    const gate = countingGate(1_000_000)
    await start({
      backend: { paused: true },
      grpc: { gates: { inference: gate, control: gate, probes: gate } },
    })
    client = new RawClient(serving.target)
    const instance = serving.backend.instances[0]!
    const taken = call([HELLO])
    const stream = client.inferStream()
    stream.send(echoRequest([3]))
    stream.send({ modelName: 'nope' })
    await until(() => gate.places === 2)
    const late = client.infer(echoRequest([2]), { deadline: Date.now() + 200 })
    await until(() => gate.places === 3)
    expect(gate.bytes).toBeGreaterThan(0)
    expect(await call([framed(new Uint8Array(0), 0, 2_000_000)], {}, false)).toMatchObject({
      ...is(status.UNAVAILABLE),
      grpcMessage: 'full',
    })
    expect(await call([framed(new Uint8Array(5), 0, 900)])).toMatchObject(is(status.INTERNAL))
    expect(await call([Buffer.concat([HELLO, HELLO])])).toMatchObject(is(status.UNIMPLEMENTED))
    const zipped = gzipSync(HELLO.subarray(5))
    const inflated = call([framed(zipped, 1)], { 'grpc-encoding': 'gzip' })
    const bomb = framed(gzipSync(Buffer.alloc(3_000_000)), 1)
    expect(await call([bomb], { 'grpc-encoding': 'gzip' })).toMatchObject({ httpStatus: 200 })
    expect((await late).code).toBe(status.DEADLINE_EXCEEDED)
    stream.call.cancel()
    instance.paused = false
    instance.finish()
    expect(await taken).toMatchObject(is(0))
    expect(await inflated).toMatchObject(is(0))
    await until(() => gate.places === 0)
    expect(gate.bytes).toBe(0)
  })
})

describe('a message that is announced and does not come', () => {
  const MIB = 1024 * 1024

  it('takes little of the memory that others may have, and what comes of it is counted', async () => {
    const gate = new OverloadGate({ memoryBudget: 64 * MIB })
    await start({ grpc: { gates: gate } })
    const open = (length: number, body: Uint8Array) => {
      const call = session.request({
        ':method': 'POST',
        ':path': INFER_PATH,
        'content-type': 'application/grpc',
      })
      call.on('error', () => {})
      call.write(Buffer.concat([framed(new Uint8Array(0), 0, length), body]))
      return call
    }
    const idle = Array.from({ length: 20 }, () => open(40 * MIB, new Uint8Array(10)))
    await until(() => gate.inflight === 20)
    expect(gate.bytes).toBeLessThanOrEqual(20 * MIB)
    client = new RawClient(serving.target)
    expect((await client.infer(echoRequest([1]))).code).toBe(status.OK)

    const busy = open(30 * MIB, Buffer.alloc(10 * MIB))
    await until(() => gate.bytes >= 30 * MIB)
    // More than there is in all: refused before it comes, and told so.
    expect(await call([framed(new Uint8Array(0), 0, 65 * MIB)], {}, false)).toMatchObject(
      is(status.UNAVAILABLE),
    )
    for (const one of [...idle, busy]) one.close()
    await until(() => gate.inflight === 0)
    expect(gate.bytes).toBe(0)
  })

  it('is refused on its way when the memory is gone meanwhile', async () => {
    const gate = new OverloadGate({ memoryBudget: 20 * MIB })
    await start({ grpc: { gates: gate } })
    const half = Buffer.concat([framed(new Uint8Array(0), 0, 16 * MIB), Buffer.alloc(9 * MIB)])
    const refused = await Promise.any([call([half], {}, false), call([half], {}, false)])
    expect(refused).toMatchObject(is(status.UNAVAILABLE))
    expect([gate.shed.memory, gate.inflight]).toEqual([1, 1])
    session.destroy()
    await until(() => gate.inflight === 0)
    expect(gate.bytes).toBe(0)
  })
})

describe('the shutdown', () => {
  it('waits for no stream that only its client could end', async () => {
    await start()
    const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo'
    const ended = rawCall(session, path, [framed(Uint8Array.of(0x3a, 0))], { end: false })
    await until(() => serving.grpc.calls === 1)
    const closed = serving.grpc.close(3_600_000)
    expect(await ended).toMatchObject(is(status.UNAVAILABLE))
    session.close()
    await closed
  })

  it('answers what runs, and refuses inference on streams that are open already', async () => {
    await start({ backend: { paused: true } })
    const running = call([HELLO])
    await until(() => serving.server.inflight === 1)
    const half = session.request({
      ':method': 'POST',
      ':path': INFER_PATH,
      'content-type': 'application/grpc',
    })
    const ended = new Promise<unknown>((resolve) =>
      half.on('response', (headers) => resolve({ ...headers })),
    )
    half.write(HELLO)
    await until(() => serving.grpc.calls === 2)
    const closed = serving.grpc.close(10_000)
    half.end()
    expect(await ended).toMatchObject({
      'grpc-status': '14',
      'grpc-message': 'GRPC server is shutting down and has stopped accepting new requests.',
    })
    serving.backend.instances[0]!.finish()
    expect(await running).toMatchObject(is(0))
    half.destroy()
    await closed
    expect(serving.grpc.calls).toBe(0)
  })
})
