import { afterEach, expect, test } from 'vitest'
import { send } from '../../../helpers/http.ts'
import { inferAnswer, inferBytes, rawConnection } from '../../../helpers/raw-http.ts'
import { ECHO_CONFIG, type ServeOptions, type Serving, serve } from '../../../helpers/serve.ts'

let serving: Serving | undefined
afterEach(async () => {
  await serving?.close()
  serving = undefined
})

async function start(options?: ServeOptions): Promise<Serving> {
  serving = await serve(options)
  return serving
}

test('the same header sent again with other bytes gets the other answer', async () => {
  const { port } = await start()
  const connection = await rawConnection(port)
  for (let i = 0; i < 5; i++) {
    connection.send(inferBytes('echo', [i, i + 0.5]))
    const answer = inferAnswer(await connection.answer())
    expect(answer.values).toEqual([i, i + 0.5])
    expect(answer.json).toEqual({
      model_name: 'echo',
      model_version: '1',
      outputs: [
        { name: 'OUTPUT0', datatype: 'FP32', shape: [1, 2], parameters: { binary_data_size: 8 } },
      ],
    })
  }
  connection.socket.destroy()
})

test('headers that differ in their id alone each get their own id back', async () => {
  const { port } = await start()
  const connection = await rawConnection(port)
  for (const id of ['a', 'another one', '', 'ü', 'quo"te', 'a']) {
    connection.send(inferBytes('echo', [1], { id }))
    const { json } = inferAnswer(await connection.answer())
    if (id === '') expect(json).not.toHaveProperty('id')
    else expect(json['id']).toBe(id)
  }
  connection.socket.destroy()
})

test('a remembered header with too few or too many bytes behind it is refused as Triton does', async () => {
  const { port } = await start()
  const connection = await rawConnection(port)
  connection.send(inferBytes('echo', [1, 2]))
  await connection.answer()
  const [head, body] = inferBytes('echo', [1, 2]).toString('latin1').split('\r\n\r\n') as [
    string,
    string,
  ]
  const shorter = body.slice(0, -4)
  connection.send(
    Buffer.from(
      `${head.replace(/Content-Length: \d+$/, `Content-Length: ${shorter.length}`)}\r\n\r\n${shorter}`,
      'latin1',
    ),
  )
  const short = await connection.answer()
  expect(short.status).toBe(400)
  expect(JSON.parse(short.body.toString()).error).toBe(
    "unexpected size for input 'INPUT0', expecting 4 additional bytes for model 'echo'",
  )
  const longer = `${body}xyz`
  connection.send(
    Buffer.from(
      `${head.replace(/Content-Length: \d+$/, `Content-Length: ${longer.length}`)}\r\n\r\n${longer}`,
      'latin1',
    ),
  )
  const long = await connection.answer()
  expect(JSON.parse(long.body.toString()).error).toBe(
    "unexpected additional input data for model 'echo'",
  )
  connection.socket.destroy()
})

test('a header remembered for one set of models is checked again after a reload', async () => {
  const { port, server } = await start({
    server: { modelControlMode: 'explicit', loadModels: ['*'] },
  })
  const connection = await rawConnection(port)
  connection.send(inferBytes('echo', [1, 2]))
  expect((await connection.answer()).status).toBe(200)
  await server.load('echo', {
    config: JSON.stringify({
      backend: 'fake',
      max_batch_size: 8,
      input: [{ name: 'INPUT0', data_type: 'TYPE_FP32', dims: [3] }],
      output: [{ name: 'OUTPUT0', data_type: 'TYPE_FP32', dims: [3] }],
    }),
  })
  connection.send(inferBytes('echo', [1, 2]))
  const answer = await connection.answer()
  expect(answer.status).toBe(400)
  expect(answer.body.toString()).toContain("unexpected shape for input 'INPUT0' for model 'echo'")
  await server.unload('echo', false)
  connection.send(inferBytes('echo', [1, 2]))
  const gone = await connection.answer()
  expect(gone.status).toBe(404)
  expect(gone.body.toString()).toContain(
    "Request for unknown model: 'echo' has no available versions",
  )
  connection.socket.destroy()
})

test('pipelined requests are answered in order', async () => {
  const { port } = await start()
  const connection = await rawConnection(port)
  connection.send(Buffer.concat([1, 2, 3, 4].map((value) => inferBytes('echo', [value]))))
  for (const value of [1, 2, 3, 4]) {
    expect(inferAnswer(await connection.answer()).values).toEqual([value])
  }
  connection.socket.destroy()
})

test('a body that arrives byte by byte is the same request', async () => {
  const { port } = await start()
  const connection = await rawConnection(port)
  connection.socket.setNoDelay(true)
  for (const byte of inferBytes('echo', [7, 8])) connection.send(Uint8Array.of(byte))
  expect(inferAnswer(await connection.answer()).values).toEqual([7, 8])
  connection.socket.destroy()
})

test('a large tensor comes back whole', async () => {
  const { port } = await start()
  const values = Array.from({ length: 150_000 }, (_, i) => i)
  const connection = await rawConnection(port)
  for (let i = 0; i < 3; i++) {
    connection.send(inferBytes('echo', values))
    expect(inferAnswer(await connection.answer()).values).toEqual(values)
  }
  connection.socket.destroy()
})

test('a JSON request, a compressed one and one that accepts compression get the same numbers', async () => {
  const { url } = await start()
  const body = JSON.stringify({
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 2], data: [1.5, 2.5] }],
  })
  const target = `${url}/v2/models/echo/infer`
  const plain = await send({ url: target, method: 'POST', body })
  const { gzipSync, gunzipSync } = await import('node:zlib')
  const packed = await send({
    url: target,
    method: 'POST',
    body: gzipSync(body),
    headers: { 'content-encoding': 'gzip' },
  })
  const accepted = await send({
    url: target,
    method: 'POST',
    body,
    headers: { 'accept-encoding': 'gzip' },
  })
  expect(JSON.parse(plain.body.toString()).outputs[0].data).toEqual([1.5, 2.5])
  expect(packed.body).toEqual(plain.body)
  expect(accepted.headers['content-encoding']).toBe('gzip')
  expect(gunzipSync(accepted.body)).toEqual(plain.body)
})

test('a client that leaves while its request waits cancels it', async () => {
  const { port, server, backend } = await start({ backend: { paused: true } })
  const busy = await rawConnection(port)
  busy.send(inferBytes('echo', [1]))
  await until(() => backend.instances[0]?.running === true)
  const leaving = await rawConnection(port)
  leaving.send(inferBytes('echo', [2]))
  await until(() => server.inflight === 2)
  leaving.socket.destroy()
  await until(() => server.inflight === 1)
  expect(server.model('echo', '').stats.failures.CANCELED).toBe(1)
  backend.instances[0]?.finish()
  expect(inferAnswer(await busy.answer()).values).toEqual([1])
  expect(backend.instances[0]?.batches).toHaveLength(1)
  busy.socket.destroy()
})

test('names that need decoding go the careful way and are refused', async () => {
  const { url } = await start()
  for (const path of [
    '/v2/models/..%2f..%2fetc/infer',
    '/v2/models/../infer',
    '/v2/models/%00/infer',
  ]) {
    const answer = await send({ url: url + path, method: 'POST', body: '{}' })
    expect(answer.status, path).toBeGreaterThanOrEqual(400)
    expect(answer.status, path).toBeLessThan(500)
  }
})

test('a query behind an infer URL changes nothing', async () => {
  const { url } = await start({ models: { echo: ECHO_CONFIG } })
  const body = JSON.stringify({
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 1], data: [1] }],
  })
  expect(
    (await send({ url: `${url}/v2/models/echo/infer?x=1`, method: 'POST', body })).status,
  ).toBe(200)
})

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${condition}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
