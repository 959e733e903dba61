import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type KeyFile, keyFile } from '../../adapters/access/key-file.ts'
import { accessMetrics } from '../../adapters/access/metrics.ts'
import { promMetrics } from '../../adapters/metrics/prom.ts'
import { type MetricsServer, startMetricsServer } from '../../adapters/metrics/server.ts'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { createLog } from '../../core/log.ts'
import { send } from '../helpers/http.ts'
import { hashOf } from '../helpers/keys.ts'
import { inferAnswer, inferBytes, rawConnection } from '../helpers/raw-http.ts'
import { ECHO_CONFIG, type ServeOptions, type Serving, serve } from '../helpers/serve.ts'

const CANARY = 'canary-9f2c41d07be84a55'
let folder: string
let path: string
let keys: KeyFile
let changed: () => void
let serving: Serving | undefined
let metrics: MetricsServer | undefined
const logged: string[] = []
const log = createLog({
  write: (line) => logged.push(line),
  epochUs: () => 0,
  pid: 1,
  settings: { log_verbose_level: 9 },
})

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keys-'))
  path = join(folder, 'keys.json')
  logged.length = 0
})
afterEach(async () => {
  await metrics?.close()
  await serving?.close()
  metrics = undefined
  serving = undefined
  keys?.close()
  rmSync(folder, { recursive: true })
})

function write(entries: unknown): void {
  writeFileSync(`${path}.new`, typeof entries === 'string' ? entries : JSON.stringify(entries))
  renameSync(`${path}.new`, path)
}

async function start(entries: unknown, options: ServeOptions = {}): Promise<Serving> {
  write(entries)
  keys = keyFile({
    path,
    log,
    clock: nodeClock(),
    watch: (_paths, call) => {
      changed = call
      return { close: () => {} }
    },
  })
  serving = await serve({ ...options, doors: { access: keys.access } })
  return serving
}

const entry = (key: string, rest: object = {}) => ({
  id: 'tenant',
  hash: hashOf(key),
  scopes: ['infer:echo'],
  ...rest,
})

/** An infer request with `key`, as bytes. */
function keyed(model: string, key: string): Buffer {
  const text = inferBytes(model, [1, 2]).toString('latin1')
  return Buffer.from(text.replace('Host: x', `Host: x\r\nAuthorization: Bearer ${key}`), 'latin1')
}

test('under load, a rotation lets the old key in up to the swap and the new one from it on', async () => {
  const { port } = await start([entry('old')])
  const connection = await rawConnection(port)
  const ask = async (key: string): Promise<number> => {
    connection.send(keyed('echo', key))
    return (await connection.answer()).status
  }
  /** The status of 100 requests with each key, taken turn by turn. */
  const load = async (): Promise<{ old: Set<number>; new: Set<number> }> => {
    const seen = { old: new Set<number>(), new: new Set<number>() }
    for (let i = 0; i < 100; i++) {
      seen.old.add(await ask('old'))
      if (i % 20 === 0) seen.new.add(await ask('new'))
    }
    return seen
  }
  const swap = (entries: unknown): void => {
    write(entries)
    changed()
  }
  const before = await load()
  expect([[...before.old], [...before.new]]).toEqual([[200], [401]])
  swap([entry('old'), entry('new')])
  const both = await load()
  expect([[...both.old], [...both.new]]).toEqual([[200], [200]])
  swap('[{"id":')
  expect(keys.reloadFailed).toBe(true)
  const bad = await load()
  expect([[...bad.old], [...bad.new]]).toEqual([[200], [200]])
  swap([entry('new')])
  expect(keys.reloadFailed).toBe(false)
  expect([await ask('old'), await ask('new')]).toEqual([401, 200])
  connection.socket.destroy()
})

test('requests that are on their way while keys are swapped each get the answer of one file', async () => {
  const { port } = await start([entry('a')])
  const connections = await Promise.all(Array.from({ length: 8 }, () => rawConnection(port)))
  let open = true
  const wrong: number[] = []
  let answers = 0
  const clients = connections.map(async (connection) => {
    while (open) {
      connection.send(keyed('echo', 'a'))
      const { status } = await connection.answer()
      if (status !== 200) wrong.push(status)
      answers++
    }
  })
  // The key that is asked with stays in every file.
  for (let i = 0; i < 50; i++) {
    write([entry(`b${i}`, { id: `b${i}` }), entry('a')])
    changed()
    const until = answers + 20
    while (answers < until) await new Promise(setImmediate)
  }
  open = false
  await Promise.all(clients)
  for (const { socket } of connections) socket.destroy()
  expect(wrong).toEqual([])
})

test('index and statistics show a key the models it may use', async () => {
  const { url } = await start([entry('k', { scopes: ['infer:ec*', 'read:none'] })], {
    models: { echo: ECHO_CONFIG, secret: ECHO_CONFIG },
  })
  const headers = { authorization: 'Bearer k' }
  const index = await send({ url: `${url}/v2/repository/index`, method: 'POST', headers })
  expect(index.body.toString()).toContain('"echo"')
  expect(index.body.toString()).not.toContain('secret')
  const stats = await send({ url: `${url}/v2/models/stats`, headers })
  expect(stats.body.toString()).toContain('"echo"')
  expect(stats.body.toString()).not.toContain('secret')
  const known = await send({ url: `${url}/v2/models/secret`, headers })
  const unknown = await send({ url: `${url}/v2/models/absent`, headers })
  const words = ({ status, body }: typeof known, name: string) => [
    status,
    body.toString().replace(name, 'M'),
  ]
  expect(words(known, 'secret')).toEqual(words(unknown, 'absent'))
  expect(known.status).toBe(403)
})

test('a key with a rate is told when to come again, on the fast route and on the slow one', async () => {
  const { url } = await start([entry('k', { rps: 0.01, burst: 2, scopes: ['*'] })])
  const ask = (path: string) =>
    send({ url: url + path, method: 'POST', body: '{}', headers: { authorization: 'Bearer k' } })
  expect((await ask('/v2/models/echo/infer')).status).toBe(400)
  expect((await ask('/v2/repository/index')).status).toBe(200)
  for (const path of ['/v2/models/echo/infer', '/v2/repository/index']) {
    const { status, headers } = await ask(path)
    expect(status).toBe(429)
    expect(Number(headers['retry-after'])).toBeGreaterThan(90)
  }
  const counts = keys.access.counts().filter(({ keyId }) => keyId === 'tenant')
  expect(counts.map(({ result, value }) => [result, value])).toEqual([
    ['allowed', 2],
    ['forbidden', 0],
    ['limited', 2],
  ])
})

test('places in flight are given back by answers, errors and clients that leave', async () => {
  const { port, url } = await start([entry('k', { maxInflight: 1, scopes: ['*'] })])
  const headers = { authorization: 'Bearer k' }
  const packed = { ...headers, 'accept-encoding': 'gzip' }
  for (let i = 0; i < 3; i++) {
    // The server may not have heard yet that the last client has left.
    await expect.poll(async () => (await send({ url: `${url}/v2`, headers })).status).toBe(200)
    const connection = await rawConnection(port)
    connection.send(keyed('echo', 'k'))
    expect(inferAnswer(await connection.answer()).values).toEqual([1, 2])
    for (const one of [headers, packed]) {
      const bad = { url: `${url}/v2/models/echo/infer`, method: 'POST', body: '{', headers: one }
      await expect.poll(async () => (await send(bad)).status).toBe(400)
    }
    // Leaves with half of its body sent.
    connection.send(keyed('echo', 'k').subarray(0, -4))
    connection.socket.destroy()
    await connection.closed
  }
  await expect.poll(async () => (await send({ url: `${url}/v2`, headers })).status).toBe(200)
})

test('one who waits for an answer holds a place: the next is told that there is none', async () => {
  const { port, url } = await start([entry('k', { maxInflight: 1, scopes: ['*'] })])
  const connection = await rawConnection(port)
  const whole = keyed('echo', 'k')
  connection.send(whole.subarray(0, -4))
  const headers = { authorization: 'Bearer k' }
  const next = (): Promise<number> =>
    send({ url: `${url}/v2`, headers }).then(({ status }) => status)
  await expect.poll(next).toBe(429)
  connection.send(whole.subarray(-4))
  expect(inferAnswer(await connection.answer()).values).toEqual([1, 2])
  await expect.poll(next).toBe(200)
  connection.socket.destroy()
})

test('metrics can be kept for keys with their scope, and count what was asked', async () => {
  const { server } = await start([entry('m', { scopes: ['metrics'] }), entry('i', { id: 'other' })])
  const prom = promMetrics({
    server,
    log,
    processMetrics: false,
    machine: () => accessMetrics(keys),
  })
  metrics = await startMetricsServer({
    metrics: () => Promise.resolve(prom),
    address: '127.0.0.1',
    port: 0,
    log,
    authorize: (who) => keys.access.authorizeMetrics(who),
  })
  const url = `http://127.0.0.1:${metrics.port}/metrics`
  expect((await send({ url })).status).toBe(401)
  expect((await send({ url, headers: { authorization: 'Bearer i' } })).status).toBe(403)
  const { status, body } = await send({ url, headers: { authorization: 'Bearer m' } })
  expect(status).toBe(200)
  const text = body.toString()
  expect(text).toContain('nereid_auth_requests{key_id="tenant",result="allowed"} 1')
  expect(text).toContain('nereid_auth_requests{key_id="other",result="forbidden"} 1')
  expect(text).toContain('nereid_auth_requests{key_id="",result="unauthenticated"} 1')
  expect(text).toContain('nereid_auth_reload_failed 0')
  prom.close()
})

test('a key is in no log line, no answer and no metric, whether it is right, wrong or in the wrong place', async () => {
  const { url, port, logged: served } = await start([entry(CANARY, { scopes: ['infer:echo'] })])
  const answers: string[] = []
  const basic = Buffer.from(`user:${CANARY}`).toString('base64')
  for (const authorization of [
    `Bearer ${CANARY}`,
    `Basic ${basic}`,
    `Bearer ${CANARY}x`,
    `Digest ${CANARY}`,
    CANARY,
  ]) {
    for (const path of ['/v2', '/v2/models/echo/config', '/v2/models/echo/infer', '/v2/logging']) {
      for (const method of ['GET', 'POST']) {
        const { headers, body } = await send({
          url: url + path,
          method,
          body: method === 'POST' ? '{' : '',
          headers: { authorization },
        })
        answers.push(JSON.stringify(headers), body.toString())
      }
    }
  }
  const connection = await rawConnection(port)
  connection.send(`GET /v2 HTTP/1.1\r\nAuthorization: Bearer ${CANARY}\r\nBad Header\r\n\r\n`)
  answers.push((await connection.answer()).body.toString())
  connection.socket.destroy()
  for (const bad of [
    `[{"id":"a","hash":"${CANARY}"}]`,
    `[{"id":"a","key":"${CANARY}"}]`,
    `{"${CANARY}`,
    `["${CANARY}"]`,
    `[{"id":"${CANARY} "}]`,
  ]) {
    write(bad)
    changed()
    expect(keys.reloadFailed).toBe(true)
  }
  const counts = JSON.stringify(accessMetrics(keys))
  const everything = [...answers, ...served, ...logged, counts].join('\n')
  expect(everything).not.toContain(CANARY)
  expect(everything).not.toContain(basic)
  expect(logged.join('\n')).toContain('the old keys stay in force')
})
