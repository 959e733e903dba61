import { gzipSync } from 'node:zlib'
import type { ALBEvent, APIGatewayProxyEvent, APIGatewayProxyEventV2 } from 'aws-lambda'
import { expect, test } from 'vitest'
import { bufferedHandler } from '../../../adapters/lambda/buffered.ts'
import type { HttpEvent, HttpResult } from '../../../adapters/lambda/types.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../core/protocol/limits.ts'
import type { RestRequest, RestResponse } from '../../../core/protocol/rest/types.ts'

/** The events of AWS' own types are events of ours. */
const V2: HttpEvent = { rawPath: '/v2', requestContext: { http: { method: 'GET' } } } as Pick<
  APIGatewayProxyEventV2,
  'rawPath'
> & { requestContext: { http: { method: string } } }
const V1: HttpEvent = { path: '/v2', httpMethod: 'GET' } satisfies Partial<APIGatewayProxyEvent>
const ALB: HttpEvent = {
  path: '/v2',
  httpMethod: 'POST',
  requestContext: { elb: { targetGroupArn: 'arn' } },
} satisfies Partial<ALBEvent>

const OK: RestResponse = {
  status: 200,
  headers: { 'Content-Type': 'application/json' },
  body: [new TextEncoder().encode('{"a":'), new TextEncoder().encode('1}')],
}

/** What the server is asked when `event` comes, and what is returned for its `reply`. */
async function pass(event: unknown, reply: RestResponse = OK, pathPrefix = '') {
  let asked: RestRequest | undefined
  const handler = bufferedHandler({
    rest: Promise.resolve(async (request) => {
      asked = request
      return reply
    }),
    limits: { ...DEFAULT_PROTOCOL_LIMITS, bodyBytes: 100 },
    pathPrefix,
    answered: () => {},
  })
  const result: HttpResult = await handler(event, { getRemainingTimeInMillis: () => 60_000 })
  return { asked, result }
}

test('the stage of an HTTP API is no part of the path, and neither is the prefix that is told', async () => {
  const at = async (rawPath: string, stage: string, prefix = ''): Promise<string | undefined> => {
    const event = { rawPath, requestContext: { http: { method: 'GET' }, stage } }
    return (await pass(event, OK, prefix)).asked?.path
  }
  expect(await at('/prod/v2/health/live', 'prod')).toBe('/v2/health/live')
  expect(await at('/v2/health/live', '$default')).toBe('/v2/health/live')
  expect(await at('/production/v2', 'prod')).toBe('/production/v2')
  expect(await at('/prod/ai/v2/models/m', 'prod', '/ai')).toBe('/v2/models/m')
  expect(await at('/v2/models/v2', '$default', '/ai')).toBe('/v2/models/v2')
})

test('names of a path are as they were sent', async () => {
  const { asked } = await pass({ ...V1, path: '/v2/models/a%2fb' })
  expect(asked?.path).toBe('/v2/models/a%2fb')
})

test('fields of the header are found in lower case, from whichever list there is', async () => {
  const headers = { 'Content-Type': 'text/plain', 'X-Key': 'last' }
  const both = { ...V1, headers, multiValueHeaders: { 'X-Key': ['first', 'last'] } }
  const { asked } = await pass(both)
  expect(asked?.header('content-type')).toBe('text/plain')
  expect(asked?.header('x-key')).toBe('first, last')
  expect(asked?.fields?.()).toEqual(['content-type', 'text/plain', 'x-key', 'first, last'])
})

test('whoever asks through a load balancer has the address that the balancer saw', async () => {
  const { asked } = await pass({ ...ALB, headers: { 'x-forwarded-for': 'forged, 192.0.2.1' } })
  expect(asked?.address).toBe('192.0.2.1')
})

test('a body is text or base64, and tensors behind a JSON part of any length can be read in place', async () => {
  const bytes = async (event: object): Promise<Uint8Array | undefined> =>
    (await pass({ ...V1, ...event })).asked?.body()
  expect(await bytes({ body: 'ä' })).toEqual(new Uint8Array([0xc3, 0xa4]))
  expect(await bytes({ body: 'AQID', isBase64Encoded: true })).toEqual(new Uint8Array([1, 2, 3]))
  expect(await bytes({ body: null })).toHaveLength(0)
  for (const length of ['1', '7', '8', '13', 'x', '1.5', '-3']) {
    const headers = { 'inference-header-content-length': length }
    const body = await bytes({ body: 'AQIDBAUGBwgJCgsMDQ4P', isBase64Encoded: true, headers })
    expect(body).toHaveLength(15)
    if (Number(length) > 0 && Number.isInteger(Number(length))) {
      expect(((body?.byteOffset ?? 0) + Number(length)) % 8).toBe(0)
    }
  }
})

test('a body over the limit is refused before it is decoded', async () => {
  const body = Buffer.alloc(101).toString('base64')
  const { asked } = await pass({ ...V1, body, isBase64Encoded: true })
  await expect(asked?.body()).rejects.toThrow(/exceeds the maximum allowed value of 100 bytes/)
})

test('each front gets the form that it reads', async () => {
  const plain = { body: '{"a":1}', isBase64Encoded: false, statusCode: 200 }
  const headers = { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' }
  expect((await pass(V2)).result).toEqual({ ...plain, headers })
  expect((await pass(V1)).result).toEqual({ ...plain, headers })
  expect((await pass(ALB)).result).toEqual({ ...plain, headers, statusDescription: '200 OK' })
  const lists = { ...ALB, multiValueHeaders: { host: ['x'] } }
  expect((await pass(lists)).result).toEqual({
    ...plain,
    multiValueHeaders: {
      'Content-Type': ['application/json'],
      'X-Content-Type-Options': ['nosniff'],
    },
    statusDescription: '200 OK',
  })
})

test('what is no text leaves as base64: binary tensors, and text that is packed', async () => {
  const body = [new Uint8Array([0xff, 0]), new Uint8Array([1])]
  const binary = { status: 200, headers: { 'Content-Type': 'application/octet-stream' }, body }
  const packed = { ...OK, headers: { ...OK.headers, 'Content-Encoding': 'gzip' }, body }
  for (const reply of [binary, packed]) {
    expect((await pass(V2, reply)).result).toMatchObject({ body: '/wAB', isBase64Encoded: true })
  }
})

test('memory of an answer is given back when it was copied', async () => {
  let released = 0
  const body = [new Uint8Array([65])]
  const release = (): void => {
    released += 1
    body[0]?.fill(0)
  }
  const { result } = await pass(V2, { ...OK, body, release })
  expect([result.body, released]).toEqual(['A', 1])
})

test('a stream that is too long for an answer is left, and cancelled', async () => {
  let cancelled = false
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
    cancel: () => {
      cancelled = true
    },
  })
  const { result } = await pass(V2, { ...OK, body: [], stream })
  expect([result.statusCode, cancelled]).toEqual([413, true])
})

test('a packed body that came as text is refused with what to do; one that came as base64 is passed on', async () => {
  const packed = gzipSync('{"inputs":[]}')
  const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'GZIP' }
  const whole = { ...ALB, headers, body: packed.toString('base64'), isBase64Encoded: true }
  expect(await (await pass(whole)).asked?.body()).toEqual(new Uint8Array(packed))
  const broken = { ...ALB, headers, body: packed.toString('utf8'), isBase64Encoded: false }
  await expect((await pass(broken)).asked?.body()).rejects.toMatchObject({
    code: 'INVALID_ARG',
    message: expect.stringMatching(
      /^a body with 'Content-Encoding: gzip' came as text.*without Content-Encoding.*octet-stream.*binary media type/,
    ),
  })
  const plain = { ...broken, headers: { 'Content-Encoding': 'identity' }, body: '{}' }
  expect((await (await pass(plain)).asked?.body())?.length).toBe(2)
})
