import { afterEach, expect, test } from 'vitest'
import { send } from '../../helpers/http.ts'
import { testKeys } from '../../helpers/keys.ts'
import { type ServeOptions, type Serving, serve } from '../../helpers/serve.ts'

let serving: Serving | undefined
afterEach(async () => {
  await serving?.close()
  serving = undefined
})

const ORIGIN = 'https://pages.example'
const BODY = '{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,1],"data":[1]}]}'

async function start(options: ServeOptions): Promise<string> {
  serving = await serve(options)
  return serving.url
}
const preflight = (url: string, origin: string, headers = 'authorization, x-door') =>
  send({
    url: `${url}/v2/models/echo/infer`,
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': headers,
    },
  })
const infer = (url: string, origin: string) =>
  send({ url: `${url}/v2/models/echo/infer`, method: 'POST', body: BODY, headers: { origin } })

test('without the flag nothing is said about origins', async () => {
  const url = await start({})
  const asked = await preflight(url, ORIGIN)
  expect(asked.status).toBe(405)
  const answer = await infer(url, ORIGIN)
  expect(answer.status).toBe(200)
  for (const { headers } of [asked, answer]) {
    expect(Object.keys(headers).filter((name) => /access-control|vary/.test(name))).toEqual([])
  }
})

test('a page of an allowed origin may ask and read the length of the header, also on infer', async () => {
  const url = await start({ doors: { corsOrigins: [ORIGIN] } })
  const asked = await preflight(url, ORIGIN)
  expect(asked.status).toBe(204)
  expect(asked.headers).toMatchObject({
    'access-control-allow-origin': ORIGIN,
    'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
    'access-control-allow-headers': 'authorization, x-door',
    vary: 'Origin',
  })
  const answer = await infer(url, ORIGIN)
  expect(answer.status).toBe(200)
  expect(answer.headers['access-control-allow-origin']).toBe(ORIGIN)
  expect(answer.headers['access-control-expose-headers']).toContain(
    'Inference-Header-Content-Length',
  )
  const missing = await send({ url: `${url}/nothing`, headers: { origin: ORIGIN } })
  expect(missing.status).toBe(404)
  expect(missing.headers['access-control-allow-origin']).toBe(ORIGIN)
})

test('a page of another origin is told nothing', async () => {
  const url = await start({ doors: { corsOrigins: [ORIGIN] } })
  for (const origin of ['https://pages.example.evil', 'null', `${ORIGIN}:8443`]) {
    const asked = await preflight(url, origin)
    expect(asked.headers).not.toHaveProperty('access-control-allow-origin')
    expect((await infer(url, origin)).headers).not.toHaveProperty('access-control-allow-origin')
  }
})

test('a browser asks without a key, and the request itself still needs one', async () => {
  const keys = testKeys([{ id: 'a', scopes: ['*'] }])
  const url = await start({ doors: { access: keys.access, corsOrigins: ['*'] } })
  expect((await preflight(url, ORIGIN)).headers['access-control-allow-origin']).toBe('*')
  const refused = await infer(url, ORIGIN)
  expect(refused.status).toBe(401)
  expect(refused.headers['access-control-allow-origin']).toBe('*')
})

test('only the hosts that are allowed are served, on any port and in any case', async () => {
  const url = await start({ http: { allowedHosts: ['models.example', '127.0.0.1', '[::1]'] } })
  const ask = async (host: string, path = '/v2'): Promise<number> =>
    (await send({ url: url + path, headers: { host } })).status
  expect(await ask('models.example')).toBe(200)
  expect(await ask('MODELS.example:8000')).toBe(200)
  expect(await ask('127.0.0.1:1')).toBe(200)
  expect(await ask('[::1]:8000')).toBe(200)
  for (const host of ['evil.example', 'models.example.evil', '[::1', 'models.example:80:80']) {
    expect([host, await ask(host)]).toEqual([host, 421])
  }
  const body = await send({
    url: `${url}/v2/models/echo/infer`,
    method: 'POST',
    body: BODY,
    headers: { host: 'evil.example' },
  })
  expect(body.status).toBe(421)
})
