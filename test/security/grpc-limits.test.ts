import type { ClientHttp2Session } from 'node:http2'
import { constants, createGzip, gzipSync } from 'node:zlib'
import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { INFER_PATH, STREAM_INFER_PATH } from '../../adapters/grpc/routes.ts'
import { DEFAULT_HTTP2_LIMITS } from '../../adapters/http2/limits.ts'
import { MAX_NAME_BYTES } from '../../core/protocol/grpc/infer-message.ts'
import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../core/protocol/limits.ts'
import {
  echoRequest,
  framed,
  type InferStream,
  inferBytes,
  RawClient,
} from '../helpers/grpc-client.ts'
import { rawCall, rawSession } from '../helpers/raw-grpc.ts'
import { type ServingGrpc, serveGrpc } from '../helpers/serve-grpc.ts'

type Request = Parameters<typeof inferBytes>[0]

const MAX_MESSAGE = 200_000
const MAX_CLASSES = 50
const MIB = 1024 * 1024
/** What says that it was a limit, and not whatever else is wrong with a request. */
const LIMIT = /the limit is|more than|larger than max|too large|too many|cannot be longer/

let serving: ServingGrpc
let client: RawClient
let session: ClientHttp2Session
let stream: InferStream | undefined

beforeAll(async () => {
  serving = await serveGrpc({
    limits: { classificationElements: MAX_CLASSES },
    grpc: { maxMessageBytes: MAX_MESSAGE },
  })
  client = new RawClient(serving.target)
  session = rawSession(serving.port)
})
afterAll(async () => {
  client.close()
  session.destroy()
  await serving.close()
})

const list = <T>(count: number, item: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => item(at))
/** `request` with other fields. */
const asking = (request: Request, fields: object): Request => ({ ...request, ...fields }) as Request
const raw = new Uint8Array(4)
const input = (name: string, shape: bigint[] = [1n, 1n]) => ({ name, datatype: 'FP32', shape })
const text = (value: string) => ({ parameterChoice: { case: 'stringParam' as const, value } })
const int = (value: bigint) => ({ parameterChoice: { case: 'int64Param' as const, value } })
const classes = (count: bigint) => [{ name: 'OUTPUT0', parameters: { classification: int(count) } }]
const parameters = (count: number) =>
  Object.fromEntries(list(count, (at) => [`p${at}`, int(BigInt(at))]))

/** [what, limit, a request with so many of it] */
const CASES: [string, number, (n: number) => Request][] = [
  [
    'inputs',
    LIMITS.tensors,
    (n) => ({
      modelName: 'echo',
      inputs: list(n, (at) => input(`I${at}`)),
      rawInputContents: list(Math.min(n, LIMITS.tensors), () => raw),
    }),
  ],
  [
    'raw contents',
    LIMITS.tensors,
    (n) => asking(echoRequest([1]), { rawInputContents: list(n, () => raw) }),
  ],
  [
    'outputs',
    LIMITS.tensors,
    (n) => asking(echoRequest([1]), { outputs: list(n, (at) => ({ name: `O${at}` })) }),
  ],
  [
    'equal outputs',
    LIMITS.tensors,
    (n) => asking(echoRequest([1]), { outputs: list(n, () => ({ name: 'OUTPUT0' })) }),
  ],
  [
    'dimensions',
    LIMITS.dims,
    (n) =>
      asking(echoRequest([1]), {
        inputs: [
          input(
            'INPUT0',
            list(n, () => 1n),
          ),
        ],
      }),
  ],
  ['parameters', LIMITS.parameters, (n) => asking(echoRequest([1]), { parameters: parameters(n) })],
  [
    'parameters of an input',
    LIMITS.parameters,
    (n) =>
      asking(echoRequest([1]), { inputs: [{ ...input('INPUT0'), parameters: parameters(n) }] }),
  ],
  ['bytes of an id', LIMITS.idBytes, (n) => echoRequest([1], { id: 'x'.repeat(n) })],
  [
    'bytes of a string parameter',
    LIMITS.stringParameterBytes,
    (n) => asking(echoRequest([1]), { parameters: { p: text('x'.repeat(n)) } }),
  ],
  [
    'characters of a sequence id',
    LIMITS.sequenceIdLength,
    (n) => asking(echoRequest([1]), { parameters: { sequence_id: text('x'.repeat(n)) } }),
  ],
  ['bytes of a model name', MAX_NAME_BYTES, (n) => echoRequest([1], { modelName: 'x'.repeat(n) })],
  [
    'bytes of a tensor name',
    MAX_NAME_BYTES,
    (n) => asking(echoRequest([1]), { inputs: [input('x'.repeat(n))] }),
  ],
  [
    'classified elements',
    MAX_CLASSES,
    (n) => asking(echoRequest(list(n, (at) => at)), { outputs: classes(1n) }),
  ],
]

const DOORS: Readonly<Record<string, (request: Request) => Promise<string>>> = {
  ModelInfer: async (request) => (await client.infer(request)).details,
  ModelStreamInfer: async (request) => {
    stream ??= client.inferStream()
    const before = stream.answers.length
    stream.send(request)
    await stream.received(before + 1)
    return stream.answers[before]?.errorMessage ?? ''
  },
}

describe.each(Object.keys(DOORS))('%s takes', (door) => {
  const ask = DOORS[door]!

  it.each(CASES)('%s up to the limit of %i and no more', async (_, limit, request) => {
    expect(await ask(request(limit - 1))).not.toMatch(LIMIT)
    expect(await ask(request(limit))).not.toMatch(LIMIT)
    expect(await ask(request(limit + 1))).toMatch(LIMIT)
  })

  it.each([0n, 1n, 2n ** 31n, 2n ** 32n + 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -1n])(
    'the number of classes %s for what it is: a bound, not a size',
    async (count) => {
      expect(await ask(asking(echoRequest([1, 2, 3]), { outputs: classes(count) }))).toBeTypeOf(
        'string',
      )
      expect(await ask(echoRequest([1]))).toBe('')
    },
  )
})

describe.each([INFER_PATH, STREAM_INFER_PATH])('%s takes', (path) => {
  const outcome = async (chunk: Uint8Array, headers: Record<string, string> = {}, end = true) => {
    const { grpcStatus, grpcMessage } = await rawCall(session, path, [chunk], { headers, end })
    return [Number(grpcStatus), grpcMessage]
  }
  const unreadable = [status.INTERNAL, 'Unable to parse request']

  it('messages up to the limit and no larger ones', async () => {
    const message = (size: number): Buffer => framed(Buffer.alloc(size, 0xff))
    expect(await outcome(message(MAX_MESSAGE - 1))).toEqual(unreadable)
    expect(await outcome(message(MAX_MESSAGE))).toEqual(unreadable)
    expect(await outcome(message(MAX_MESSAGE + 1))).toEqual([
      status.RESOURCE_EXHAUSTED,
      `received message larger than max (${MAX_MESSAGE + 1} vs. ${MAX_MESSAGE})`,
    ])
  })

  it.each(['gzip', 'deflate'])(
    '%s messages that are within the limit when expanded',
    async (coding) => {
      const { deflateSync } = await import('node:zlib')
      const pack = coding === 'gzip' ? gzipSync : deflateSync
      const headers = { 'grpc-encoding': coding }
      const message = (size: number): Buffer => framed(pack(Buffer.alloc(size, 0xff)), 1)
      expect(await outcome(message(MAX_MESSAGE - 1), headers)).toEqual(unreadable)
      expect(await outcome(message(MAX_MESSAGE), headers)).toEqual(unreadable)
      expect((await outcome(message(MAX_MESSAGE + 1), headers))[0]).toBe(status.RESOURCE_EXHAUSTED)
    },
  )

  it('a length of 0xffffffff for what it is, before anything comes or is made for it', async () => {
    const before = process.memoryUsage().arrayBuffers
    const [code, message] = await outcome(framed(new Uint8Array(0), 0, 0xffff_ffff), {}, false)
    expect(code).toBe(status.RESOURCE_EXHAUSTED)
    expect(message).toBe(`received message larger than max (4294967295 vs. ${MAX_MESSAGE})`)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MIB)
  })

  it('no flag but 0 and 1, and no deadline of more than eight digits', async () => {
    const hello = inferBytes(echoRequest([1]))
    for (const flag of [2, 7, 0x80, 0xff]) {
      expect((await outcome(framed(hello, flag)))[0]).toBe(status.INTERNAL)
    }
    for (const timeout of ['12345678901n', '123456789S', '-1S', '1', '0x1S']) {
      const said = await outcome(framed(hello), { 'grpc-timeout': timeout })
      expect(said).toEqual([status.INTERNAL, 'malformed grpc-timeout'])
    }
  })

  it('metadata up to the limits of its size and its number, and no more', async () => {
    const fixed = {
      ':method': 'POST',
      ':path': path,
      ':scheme': 'http',
      ':authority': `127.0.0.1:${serving.port}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    }
    const sizeOf = (fields: Record<string, string>): number =>
      Object.entries(fields).reduce(
        (sum, [name, value]) => sum + name.length + value.length + 32,
        0,
      )
    const asked = async (more: Record<string, string>): Promise<number> =>
      (await rawCall(session, path, [framed(inferBytes(echoRequest([1])))], { headers: more }))
        .httpStatus
    const room = DEFAULT_HTTP2_LIMITS.maxHeaderListBytes - sizeOf({ ...fixed, x: '' })
    for (const [extra, expected] of [
      [-1, 200],
      [0, 200],
      [1, 431],
    ] as const) {
      expect(await asked({ x: 'x'.repeat(room + extra) })).toBe(expected)
    }
    const most = DEFAULT_HTTP2_LIMITS.maxHeaderFields - Object.keys(fixed).length
    for (const [count, expected] of [
      [most - 1, 200],
      [most, 200],
      [most + 1, 431],
    ] as const) {
      expect(await asked(Object.fromEntries(list(count, (at) => [`x${at}`, 'y'])))).toBe(expected)
    }
  })
})

it('a bomb of 300 MB is given up before it has grown', async () => {
  const open = await serveGrpc()
  const own = rawSession(open.port)
  const zip = createGzip({ level: constants.Z_BEST_COMPRESSION })
  const pieces: Buffer[] = []
  zip.on('data', (piece: Buffer) => pieces.push(piece))
  const packed = new Promise<void>((resolve) => zip.on('end', resolve))
  for (let at = 0; at < 300; at++) {
    if (!zip.write(Buffer.alloc(MIB))) await new Promise((resolve) => zip.once('drain', resolve))
  }
  zip.end()
  await packed
  const bomb = framed(Buffer.concat(pieces), 1)
  globalThis.gc?.()
  globalThis.gc?.()
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
  }, 1)
  for (const path of [INFER_PATH, STREAM_INFER_PATH]) {
    expect(
      await rawCall(own, path, [bomb], { headers: { 'grpc-encoding': 'gzip' } }),
    ).toMatchObject({
      grpcStatus: String(status.RESOURCE_EXHAUSTED),
      grpcMessage: 'compressed message expands too far',
    })
  }
  clearInterval(watch)
  expect(most).toBeLessThan(2 * bomb.length * LIMITS.inflateRatio)
  own.destroy()
  await open.close()
})
