import { afterEach, expect, test } from 'vitest'
import { type MetricsServer, startMetricsServer } from '../../../adapters/metrics/server.ts'

const running: MetricsServer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()))
})

const errors: string[] = []
const log = {
  error: (text: string) => void errors.push(text),
  warning: () => {},
  info: () => {},
  verbose: () => {},
}

async function start(text: () => Promise<string>): Promise<string> {
  const server = await startMetricsServer({
    metrics: () => Promise.resolve({ contentType: 'text/plain; charset=utf-8', text }),
    address: '127.0.0.1',
    port: 0,
    log,
  })
  running.push(server)
  return `http://127.0.0.1:${server.port}`
}

test('GET /metrics gives the text, a query string is ignored', async () => {
  const url = await start(() => Promise.resolve('x 1\n'))
  for (const path of ['/metrics', '/metrics?name=x']) {
    const response = await fetch(url + path)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(await response.text()).toBe('x 1\n')
  }
})

test('other paths are an empty 200 and other methods a 405, as with Triton', async () => {
  const url = await start(() => Promise.resolve('x 1\n'))
  const other = await fetch(`${url}/v2/health/ready`)
  expect([other.status, await other.text()]).toEqual([200, ''])
  for (const method of ['POST', 'PUT', 'DELETE', 'HEAD']) {
    const response = await fetch(`${url}/metrics`, { method })
    expect(response.status).toBe(405)
    if (method !== 'HEAD') expect(await response.text()).toBe('{"error":"Method Not Allowed"}')
  }
})

test('scrapes that come together, or within a second, share one collection', async () => {
  let collections = 0
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const url = await start(async () => {
    collections++
    await gate
    return 'x 1\n'
  })
  const together = Promise.all(Array.from({ length: 5 }, () => fetch(`${url}/metrics`)))
  release()
  for (const response of await together) expect(await response.text()).toBe('x 1\n')
  await fetch(`${url}/metrics`)
  expect(collections).toBe(1)
})

test('a collection that fails is a 500 and a line in the log, and the next one is tried anew', async () => {
  let calls = 0
  const url = await start(() => {
    calls++
    return calls === 1 ? Promise.reject(new Error('no figures')) : Promise.resolve('x 1\n')
  })
  const failed = await fetch(`${url}/metrics`)
  expect([failed.status, await failed.text()]).toEqual([
    500,
    '{"error":"failed to collect metrics"}',
  ])
  expect(errors).toContain('failed to collect metrics: no figures')
  expect(await (await fetch(`${url}/metrics`)).text()).toBe('x 1\n')
})

test('a port that is taken is told to the caller, and close can be called twice', async () => {
  const url = await start(() => Promise.resolve(''))
  const port = Number(new URL(url).port)
  await expect(
    startMetricsServer({
      metrics: () => Promise.reject(new Error('unused')),
      address: '127.0.0.1',
      port,
      log,
    }),
  ).rejects.toMatchObject({ code: 'EADDRINUSE' })
  const server = running[0] as MetricsServer
  await server.close()
  await server.close()
  await expect(fetch(`${url}/metrics`)).rejects.toThrow()
})
