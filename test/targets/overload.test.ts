import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { RawClient } from '../helpers/grpc-client.ts'
import { rawConnection } from '../helpers/raw-http.ts'
import { buildServer, type Serving, serve, stopAll } from './child.ts'

const folder = mkdtempSync(join(tmpdir(), 'nereid-overload-'))
const HEALTH = '/grpc.health.v1.Health/Check'

beforeAll(() => {
  buildServer()
  for (const [name, delayMs] of [
    ['echo', 0],
    ['stuck', 600_000],
  ]) {
    mkdirSync(join(folder, String(name), '1'), { recursive: true })
    writeFileSync(
      join(folder, String(name), 'config.pbtxt'),
      `backend: "identity"
input [{ name: "IN" data_type: TYPE_INT32 dims: [ 1 ] }]
output [{ name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] }]
parameters { key: "execute_delay_ms" value { string_value: "${delayMs}" } }
`,
    )
  }
})
afterEach(stopAll)
afterAll(() => rmSync(folder, { recursive: true }))

const infer = (server: Serving, model: string, filler = ''): Promise<Response> =>
  fetch(`${server.url}/v2/models/${model}/infer`, {
    method: 'POST',
    body: `{"inputs":[{"name":"IN","datatype":"INT32","shape":[1],"data":[7]}]${filler}}`,
  })
/** Scrapes that come close together get the same text, so what is expected comes with one of the next. */
const told = (server: Serving, line: RegExp): Promise<void> =>
  expect
    .poll(async () => (await fetch(server.metricsUrl)).text(), { timeout: 30_000 })
    .toMatch(line)

test('--max-inflight is one limit for all ports, and metrics tell of it', async () => {
  const server = await serve([`--model-repository=${folder}`, '--max-inflight=1'])
  infer(server, 'stuck').catch(() => {})
  await told(server, /^nereid_inflight_requests 1$/m)
  const refusal = await infer(server, 'echo')
  expect([refusal.status, refusal.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await refusal.json()).toEqual({
    error: 'server has its limit of 1 requests in flight, try again',
  })
  const client = new RawClient(server.grpc)
  expect((await client.infer({ modelName: 'echo' })).code).toBe(status.UNAVAILABLE)
  client.close()
  await told(server, /^nereid_shed_requests\{reason="inflight"\} 2$/m)
  await told(server, /^nereid_request_bytes [1-9]\d*$/m)
})

test('--memory-budget bounds what bodies take', async () => {
  const server = await serve([`--model-repository=${folder}`, '--memory-budget=2000'])
  expect((await infer(server, 'echo')).status).toBe(200)
  const refusal = await infer(server, 'echo', ' '.repeat(2_000))
  expect(refusal.status).toBe(503)
  expect(await refusal.json()).toEqual({
    error:
      "request body is larger than the server's memory budget of 2000 bytes, send less at a time",
  })
  await told(server, /^nereid_request_bytes 0$/m)
})

test('a process that has less memory than it uses refuses everything but probes', async () => {
  const server = await serve([
    `--model-repository=${folder}`,
    '--overload-close-percent=0.0001',
    '--overload-refuse-percent=0.0001',
  ])
  await server.line(/overload: resident memory is .* everything but probes is refused/)
  const refusal = await infer(server, 'echo')
  expect([refusal.status, refusal.headers.get('connection')]).toEqual([503, 'close'])
  expect(await refusal.json()).toEqual({ error: 'server is out of memory, try again' })
  expect((await fetch(`${server.url}/v2/models/echo`)).status).toBe(503)
  for (const path of ['live', 'ready']) {
    expect((await fetch(`${server.url}/v2/health/${path}`)).status, path).toBe(200)
  }
  await told(server, /^nereid_shed_requests\{reason="rss"\} 2$/m)
})

test('requests that a server had no time to read before it was stopped are answered', async () => {
  const server = await serve([`--model-repository=${folder}`])
  expect((await infer(server, 'echo')).status).toBe(200)
  server.process.kill('SIGSTOP')
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => rawConnection(Number(new URL(server.url).port))),
  )
  const body = '{"inputs":[{"name":"IN","datatype":"INT32","shape":[1],"data":[7]}]}'
  for (const client of clients) {
    client.send(
      `POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
  }
  server.process.kill('SIGTERM')
  server.process.kill('SIGCONT')
  const answers = await Promise.all(clients.map((client) => client.answer()))
  expect(answers.map(({ status }) => status)).toEqual(clients.map(() => 200))
  expect((await server.ended).code).toBe(0)
})

test('with --drain-delay-secs a server that stops is not ready at once and takes work meanwhile', async () => {
  const server = await serve([`--model-repository=${folder}`, '--drain-delay-secs=3'])
  const client = new RawClient(server.grpc)
  const health = async (): Promise<number | undefined> =>
    (await client.unary(HEALTH, new Uint8Array(0))).message?.at(1)
  expect(await health()).toBe(1)
  server.process.kill('SIGTERM')
  await server.line(/Not ready any more; accepting work for another 3 s/)
  expect((await fetch(`${server.url}/v2/health/ready`)).status).toBe(400)
  expect(await health()).toBe(2)
  expect((await fetch(`${server.url}/v2/health/live`)).status).toBe(200)
  expect((await infer(server, 'echo')).status).toBe(200)
  client.close()
  expect((await server.ended).code).toBe(0)
})
