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

function setUp(submit?: (request: InferRequest) => void) {
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
  return {
    app: createApp({ server: fakeServer(model), log, limits: DEFAULT_PROTOCOL_LIMITS }),
    errors,
  }
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

  it('ignores queries and decodes nothing in a path', async () => {
    const { app } = setUp()
    const status = async (path: string): Promise<number> => (await app.request(BASE + path)).status
    expect(await status('/v2/models/echo?x=/y')).toBe(200)
    expect(await status('/v2/models/echo%2Fready')).toBe(404)
    expect(await status('/v2/models/%65cho/ready')).toBe(400)
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
