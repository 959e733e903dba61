import { afterEach, expect, test } from 'vitest'
import { DRAIN_LINGER_MS } from '../../../../adapters/http/node/sockets.ts'
import { inferAnswer, inferBytes, rawConnection } from '../../../helpers/raw-http.ts'
import { type Serving, serve } from '../../../helpers/serve.ts'

let serving: Serving | undefined
afterEach(async () => {
  await serving?.close()
  serving = undefined
})

test('a busy client whose next request crosses the close is answered and told to leave', async () => {
  serving = await serve()
  const { port, listener } = serving
  const connection = await rawConnection(port)
  connection.send(inferBytes('echo', [1]))
  expect((await connection.answer()).status).toBe(200)
  const closed = listener.close(10_000)
  connection.send(inferBytes('echo', [2]))
  const answer = await connection.answer()
  expect(inferAnswer(answer).values).toEqual([2])
  expect(answer.headers['connection']).toBe('close')
  await connection.closed
  await closed
})

test('a first request that came while the server stood still is answered, though the listener closes', async () => {
  serving = await serve()
  const { port, listener } = serving
  const connection = await rawConnection(port)
  const accepted = await rawConnection(port)
  accepted.send(inferBytes('echo', [1]))
  await accepted.answer()
  const closed = listener.close(10_000)
  connection.send(inferBytes('echo', [2]))
  const end = performance.now() + 2 * DRAIN_LINGER_MS
  while (performance.now() < end);
  expect(inferAnswer(await connection.answer()).values).toEqual([2])
  await closed
})

test('a closing listener refuses new connections at once and ends the idle ones by itself', async () => {
  serving = await serve()
  const { port, listener } = serving
  const used = await rawConnection(port)
  used.send(inferBytes('echo', [1]))
  await used.answer()
  const unused = await rawConnection(port)
  const closed = listener.close(10_000)
  await expect(rawConnection(port)).rejects.toThrow('ECONNREFUSED')
  await Promise.all([used.closed, unused.closed, closed])
})
