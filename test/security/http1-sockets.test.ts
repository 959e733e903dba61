/** SAFETY rows 7, 17, 21, 36 and 37: hostile bytes on the HTTP/1.1 port cost a bounded amount and never stop the server. */
import { afterEach, expect, test } from 'vitest'
import { inferAnswer, inferBytes, type RawConnection, rawConnection } from '../helpers/raw-http.ts'
import { type ServeOptions, type Serving, serve } from '../helpers/serve.ts'

let serving: Serving | undefined
const connections: RawConnection[] = []
afterEach(async () => {
  for (const { socket } of connections.splice(0)) socket.destroy()
  await serving?.close()
  serving = undefined
})

async function start(options?: ServeOptions): Promise<Serving> {
  serving = await serve(options)
  return serving
}

async function open(port: number): Promise<RawConnection> {
  const connection = await rawConnection(port)
  connections.push(connection)
  return connection
}

/** The server still answers a plain request. */
async function expectAlive(port: number): Promise<void> {
  const connection = await open(port)
  connection.send(inferBytes('echo', [42]))
  expect(inferAnswer(await connection.answer()).values).toEqual([42])
}

const CHUNKED =
  'POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'

test.each([
  ['at the limit', 99, undefined],
  ['above the limit', 101, 'Chunked request body exceeds maximum of 100 non-empty chunks'],
])('row 7: a body of one-byte chunks %s', async (_, count, error) => {
  const { port } = await start({ limits: { bodyChunks: 100 } })
  const json = JSON.stringify({
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 1], data: [1] }],
  }).padEnd(count)
  const connection = await open(port)
  connection.send(`${CHUNKED}${[...json].map((c) => `1\r\n${c}\r\n`).join('')}0\r\n\r\n`)
  const answer = await connection.answer()
  if (error === undefined) expect(answer.status).toBe(200)
  else {
    expect(answer.status).toBe(400)
    expect(answer.body.toString()).toContain(error)
  }
  await expectAlive(port)
})

test('row 7: a million one-byte chunks are refused and memory stays', async () => {
  const { port } = await start()
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  const connection = await open(port)
  connection.send(CHUNKED)
  const block = '1\r\nx\r\n'.repeat(1000)
  for (let i = 0; i < 1000 && !connection.socket.destroyed; i++) connection.send(block)
  const answer = await connection.answer()
  expect(answer.status).toBe(400)
  expect(answer.body.toString()).toContain('65536 non-empty chunks')
  globalThis.gc?.()
  // The client's own 6 MB of unsent chunks are in this process too.
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024)
  await expectAlive(port)
})

test.each([
  ['declared', `Content-Length: 2000`],
  ['chunked', 'Transfer-Encoding: chunked'],
])('row 36: a %s body above the limit is refused before it is read whole', async (kind, header) => {
  const { port } = await start({ limits: { bodyBytes: 1000 } })
  for (const path of ['/v2/models/echo/infer', '/v2/repository/index', '/v2/models/echo/infer?x']) {
    const connection = await open(port)
    connection.send(`POST ${path} HTTP/1.1\r\nHost: x\r\n${header}\r\n\r\n`)
    if (kind === 'chunked') connection.send(`${(1001).toString(16)}\r\n${'x'.repeat(1001)}\r\n`)
    const answer = await connection.answer()
    expect(answer.status, path).toBe(400)
    expect(answer.body.toString(), path).toContain('--http-max-input-size')
  }
  await expectAlive(port)
})

test.each([
  [
    'content-length and transfer-encoding',
    'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['two different content-lengths', 'Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde'],
  ['a line ended by LF alone', 'Content-Length: 4\nX: y\r\n\r\nabcd'],
  ['a signed length', 'Content-Length: +5\r\n\r\nabcde'],
  ['a space before the colon', 'Content-Length : 4\r\n\r\nabcd'],
  ['an unknown transfer-encoding', 'Transfer-Encoding: cow\r\n\r\n0\r\n\r\n'],
])('row 37: %s is refused and the connection closed', async (_, rest) => {
  const { port } = await start()
  const connection = await open(port)
  connection.send(`POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\n${rest}`)
  expect((await connection.answer()).status).toBeGreaterThanOrEqual(400)
  await connection.closed
  await expectAlive(port)
})

test('row 37: 20 KB of chunk extensions are refused', async () => {
  const { port } = await start()
  const connection = await open(port)
  connection.send(`${CHUNKED}1;${'e'.repeat(20_000)}\r\nx\r\n0\r\n\r\n`)
  expect((await connection.answer()).status).toBeGreaterThanOrEqual(400)
  await connection.closed
  await expectAlive(port)
})

test('a header block above 16 KiB is answered with 431', async () => {
  const { port } = await start()
  const connection = await open(port)
  connection.send(`GET /v2 HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(17_000)}\r\n\r\n`)
  expect((await connection.answer()).status).toBe(431)
  await connection.closed
  await expectAlive(port)
})

test.each(['-1', '9e99', '0x10', 'abc', '99999999999999999999', '1.5', '', ' '])(
  'row 17: Inference-Header-Content-Length "%s" gets a clear answer',
  async (value) => {
    const { port } = await start()
    const connection = await open(port)
    connection.send(
      `POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nInference-Header-Content-Length: ${value}\r\nContent-Length: 2\r\n\r\n{}`,
    )
    const answer = await connection.answer()
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body.toString())).toHaveProperty('error')
    await expectAlive(port)
  },
)

test.each(['/', '', 'a b', '[::', 'x'.repeat(300)])(
  'row 17: Host "%s" does no harm',
  async (host) => {
    const { port } = await start()
    const connection = await open(port)
    connection.send(`GET /v2/health/live HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    expect((await connection.answer()).status).toBeLessThan(500)
    await expectAlive(port)
  },
)

test('row 21: clients that vanish at any point of a request leave a serving server', async () => {
  const { port, server } = await start()
  const bytes = inferBytes(
    'echo',
    Array.from({ length: 4000 }, (_, i) => i),
  )
  for (let i = 0; i < 200; i++) {
    const connection = await open(port)
    connection.send(bytes.subarray(0, Math.floor((bytes.length * i) / 200)))
    if (i % 2 === 0) connection.socket.resetAndDestroy()
    else connection.socket.destroy()
  }
  await expectAlive(port)
  expect(server.inflight).toBe(0)
  expect(serving?.logged.filter((line) => line.startsWith('E'))).toEqual([])
})

test('row 21: a client that never reads its large answers does not hold up others', async () => {
  const { port } = await start()
  const greedy = await open(port)
  greedy.socket.pause()
  const bytes = inferBytes(
    'echo',
    Array.from({ length: 150_000 }, () => 1),
  )
  for (let i = 0; i < 20; i++) greedy.send(bytes)
  await expectAlive(port)
  await expectAlive(port)
})

test('a body that stalls is answered with 408 and cut', async () => {
  const { port } = await start({ http: { timeouts: { bodyStallMs: 50 } } })
  const connection = await open(port)
  connection.send(
    'POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc',
  )
  expect((await connection.answer()).status).toBe(408)
  await connection.closed
  await expectAlive(port)
})

test('a head that stalls is answered with 408 and cut', async () => {
  const { port } = await start({ http: { timeouts: { headerMs: 50 } } })
  const connection = await open(port)
  connection.send('GET /v2 HTTP/1.1\r\nHost: x\r\n')
  expect((await connection.answer()).status).toBe(408)
  await connection.closed
})

test('closing answers what is in flight, then closes its connection', async () => {
  const { port, backend, listener } = await start({ backend: { paused: true } })
  const connection = await open(port)
  connection.send(inferBytes('echo', [5]))
  while (backend.instances[0]?.running !== true) await new Promise((r) => setImmediate(r))
  const idle = await open(port)
  const closed = listener.close(10_000)
  await idle.closed
  backend.instances[0]?.finish()
  const answer = await connection.answer()
  expect(inferAnswer(answer).values).toEqual([5])
  expect(answer.headers['connection']).toBe('close')
  await closed
  await expect(rawConnection(port)).rejects.toThrow()
})
