import { describe, expect, it } from 'vitest'
import { createApp } from '../../../adapters/http/app.ts'
import { ServerError } from '../../../core/errors.ts'
import type { InferRequest } from '../../../core/infer.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../core/protocol/limits.ts'
import { fakeLogControl, fakeModel, fakeServer } from '../../core/protocol/rest/fake-server.ts'

const BASE = 'http://localhost:8000'
const REQUEST = JSON.stringify({
  inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 2], data: [1, 2.5] }],
})

function setUp(submit?: (request: InferRequest) => void, limits = DEFAULT_PROTOCOL_LIMITS) {
  const errors: string[] = []
  const quiet = (): void => undefined
  const log = {
    ...fakeLogControl(),
    error: (message: string) => void errors.push(message),
    warning: quiet,
    info: quiet,
    verbose: quiet,
  }
  const model = fakeModel(submit === undefined ? {} : { submit })
  return { app: createApp({ server: fakeServer(model), log, limits }), errors }
}
const chunked = (chunks: Iterable<Uint8Array>): ReadableStream<Uint8Array> => {
  const rest = chunks[Symbol.iterator]()
  return new ReadableStream({
    pull(controller) {
      const { done, value } = rest.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
  })
}
const post = (path: string, body: BodyInit, init: RequestInit = {}): Request =>
  new Request(BASE + path, { method: 'POST', body, duplex: 'half', ...init } as RequestInit)

describe('the app', () => {
  it('answers infer requests', async () => {
    const response = await setUp().app.fetch(post('/v2/models/echo/infer', REQUEST))
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(Number(response.headers.get('content-length'))).toBe(
      (await response.clone().text()).length,
    )
    expect((await response.json()).outputs[0].data).toEqual([1, 2.5])
  })

  it('ignores queries and never takes an escaped slash for one', async () => {
    const { app } = setUp()
    const status = async (path: string): Promise<number> => (await app.request(BASE + path)).status
    expect(await status('/v2/models/echo?x=/y')).toBe(200)
    expect(await status('/v2/models/echo%2Fready')).toBe(404)
    expect(await status('/v2/models/%65cho/ready')).toBe(200)
    expect(await status('/v2/models/echo%3Fx')).toBe(404)
    expect(await status('/v2/models/x/../echo')).toBe(200)
    expect(await status('/nope')).toBe(404)
  })

  it('answers a wrong method on a known path with 405', async () => {
    const { app } = setUp()
    const response = await app.request(`${BASE}/v2/health/live`, { method: 'POST' })
    expect([response.status, await response.json()]).toEqual([405, { error: 'Method Not Allowed' }])
    expect((await app.request(`${BASE}/v2/health/live`, { method: 'HEAD' })).status).toBe(405)
  })

  it('gives outputs back once they were copied into the answer', async () => {
    let released = 0
    const { app } = setUp((request) =>
      request.respond({
        outputs: [{ name: 'OUTPUT0', datatype: 'UINT8', shape: [1], data: Uint8Array.of(7) }],
        release: () => released++,
      }),
    )
    const response = await app.fetch(post('/v2/models/echo/infer', REQUEST))
    expect(released).toBe(1)
    expect((await response.json()).outputs[0].data).toEqual([7])
  })

  it('cancels the request of a client that leaves', async () => {
    const leave = new AbortController()
    const { app } = setUp((request) => {
      request.onCancel = () => request.respond(new ServerError('CANCELLED', 'cancelled'))
      leave.abort()
    })
    const response = await app.fetch(
      post('/v2/models/echo/infer', REQUEST, { signal: leave.signal }),
    )
    expect(await response.json()).toEqual({ error: 'cancelled' })
  })

  it('logs its own mistakes and withholds them', async () => {
    const { app, errors } = setUp(() => {
      throw new Error('secret')
    })
    const response = await app.fetch(post('/v2/models/echo/infer', REQUEST))
    expect([response.status, await response.json()]).toEqual([500, { error: 'internal error' }])
    expect(errors.join()).toContain('secret')
  })
})

describe('a body', () => {
  const limits = { ...DEFAULT_PROTOCOL_LIMITS, bodyBytes: 1000, bodyChunks: 10 }
  const padded = (size: number): Uint8Array => new TextEncoder().encode(REQUEST.padEnd(size))
  const status = async (body: BodyInit, headers: Record<string, string> = {}) => {
    const response = await setUp(undefined, limits).app.fetch(
      post('/v2/models/echo/infer', body, { headers }),
    )
    return [response.status, (await response.json()).error]
  }
  const tooLarge =
    'request body size exceeds the maximum allowed value of 1000 bytes. Use --http-max-input-size to increase the limit.'

  it('may be as large as the limit and not a byte larger, declared or not', async () => {
    for (const [size, expected] of [
      [999, 200],
      [1000, 200],
      [1001, 400],
    ] as const) {
      const error = expected === 200 ? undefined : tooLarge
      expect(await status(padded(size) as Uint8Array<ArrayBuffer>)).toEqual([expected, error])
      const halves = [padded(size).subarray(0, 500), padded(size).subarray(500)]
      expect(await status(chunked(halves))).toEqual([expected, error])
    }
  })

  it('that declares too much is refused before it is read', async () => {
    let read = 0
    const body = chunked(
      (function* () {
        read++
        yield padded(500)
      })(),
    )
    expect(await status(body, { 'content-length': '1001' })).toEqual([400, tooLarge])
    expect(read).toBeLessThanOrEqual(1)
  })

  it('may come in as many chunks as the limit', async () => {
    const pieces = (count: number): Uint8Array[] => {
      const whole = padded(count * 20)
      return Array.from({ length: count }, (_, i) => whole.subarray(i * 20, i * 20 + 20))
    }
    expect((await status(chunked(pieces(9))))[0]).toBe(200)
    expect((await status(chunked(pieces(10))))[0]).toBe(200)
    expect(await status(chunked(pieces(11)))).toEqual([
      400,
      'Chunked request body exceeds maximum of 10 non-empty chunks. Send fewer or larger HTTP chunks.',
    ])
  })
})
