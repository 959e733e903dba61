import { once } from 'node:events'
import { connect, constants } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../adapters/http2/types.ts'
import { Frame, frame, type RawHttp2, rawHttp2 } from '../../helpers/raw-http2.ts'
import { body, goaway, NO_TRAILERS, OK, request, resetCode, STATUS, testHttp2 } from './start.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})
const start: typeof testHttp2 = async (options, then) => {
  const server = await testHttp2(options, then)
  cleanups.push(() => server.close(0))
  return server
}
const client = (port: number, options = {}) => {
  const session = connect(`http://127.0.0.1:${port}`, options)
  session.on('error', () => undefined)
  cleanups.push(() => session.destroy())
  return session
}
/** One exchange with Node's client. */
async function fetchOnce(port: number, sent: Uint8Array, options = {}) {
  const session = client(port, options)
  const stream = session.request({ ':method': 'POST', ':path': '/' })
  stream.end(sent)
  let trailers: Record<string, unknown> = {}
  stream.on('trailers', (fields) => {
    trailers = fields
  })
  const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return { status: head[':status'], bytes: Buffer.concat(chunks), trailers }
}
const sizes = [0, 1, 16_384, 16_385, 65_536, 3_000_000]

describe('server', () => {
  it.each(sizes)('echoes %i octets to the client of node:http2, with trailers', async (size) => {
    const server = await start({
      onStream: (stream) => {
        const chunks: Uint8Array[] = []
        return {
          data: (chunk, end) => {
            chunks.push(chunk)
            stream.credit(chunk.length)
            if (end) stream.answer(OK, chunks, STATUS)
          },
          aborted: () => undefined,
        }
      },
    })
    const sent = Buffer.alloc(size, 'nereid')
    const got = await fetchOnce(server.port, sent)
    expect(got.status).toBe(200)
    expect(got.bytes.equals(sent)).toBe(true)
    expect(got.trailers['x-status']).toBe('0')
    await server.until(() => server.streams === 0)
  })

  it('ends a body without trailers where these are empty', async () => {
    const server = await start({}, ({ stream }) =>
      stream.answer(OK, [Buffer.from('a')], NO_TRAILERS),
    )
    const got = await fetchOnce(server.port, Buffer.from('x'))
    expect(got.bytes.toString()).toBe('a')
    expect(got.trailers).toEqual({})
  })

  it('answers on time what is answered outside of a read, on many connections', async () => {
    const server = await start({}, ({ stream }) => {
      setImmediate(() => stream.answer(OK, [Buffer.from('later')], STATUS))
    })
    const all = await Promise.all(
      Array.from({ length: 20 }, () => fetchOnce(server.port, Buffer.from('x'))),
    )
    for (const one of all) expect(one.bytes.toString()).toBe('later')
  })

  it('serves a client that makes the table of header fields smaller', async () => {
    const server = await start({}, ({ stream }) => stream.answer(OK, [Buffer.from('a')], STATUS))
    const session = client(server.port, { settings: { headerTableSize: 0 } })
    for (let i = 0; i < 3; i++) {
      const stream = session.request({ ':path': '/' })
      const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
      expect(head[':status']).toBe(200)
      stream.resume()
      await once(stream, 'end')
    }
  })

  it('answers 431 to a header that is too large, and goes on', async () => {
    const server = await start({}, ({ stream }) => stream.answer(OK, [], NO_TRAILERS))
    const session = client(server.port)
    const large = session.request({ ':path': '/', 'x-large': 'a'.repeat(20_000) })
    const [refused] = (await once(large, 'response')) as [Record<string, unknown>]
    expect(refused[':status']).toBe(431)
    const small = session.request({ ':path': '/' })
    const [head] = (await once(small, 'response')) as [Record<string, unknown>]
    expect(head[':status']).toBe(200)
    expect(server.seen.length).toBe(1)
  })

  it('refuses streams above the limit without a word to the application', async () => {
    const server = await start({ limits: { maxConcurrentStreams: 2 } })
    const raw = await rawHttp2(server.port)
    cleanups.push(() => raw.destroy())
    for (const id of [1, 3, 5]) request(raw, id, true)
    expect(await resetCode(raw, 5)).toBe(ErrorCode.REFUSED_STREAM)
    expect(server.seen.map(({ stream }) => stream.id)).toEqual([1, 3])
    expect(server.streams).toBe(2)
  })

  it('closes connections above the limit at once', async () => {
    const server = await start({ limits: { maxConnections: 1 } })
    const raw = await rawHttp2(server.port)
    cleanups.push(() => raw.destroy())
    expect(await raw.ping()).toBe(true)
    const second = connectTcp(server.port, '127.0.0.1')
    second.on('error', () => undefined)
    await once(second, 'close')
    expect(server.connections).toBe(1)
  })

  it('tells its streams that the connection is gone', async () => {
    const server = await start()
    const raw = await rawHttp2(server.port)
    request(raw, 1, true)
    request(raw, 3, false)
    await server.until(() => server.seen.length === 2)
    raw.destroy()
    await server.until(() => server.seen.every(({ aborted }) => aborted === 1))
    expect(server.streams).toBe(0)
    server.seen[0]?.stream.answer(OK, [], STATUS)
    expect(server.seen[0]?.stream.data(new Uint8Array(1))).toBe(true)
  })
})

/** Answers PINGs until the connection's last GOAWAY. */
async function acknowledgePings(raw: RawHttp2): Promise<void> {
  for (;;) {
    const last = raw.frames.some(({ type }) => type === Frame.GOAWAY)
    if (last || raw.ended) return
    const one = await raw.next(({ type }) => type === Frame.PING || type === Frame.GOAWAY)
    if (one?.type === Frame.PING) raw.send(frame(Frame.PING, 1, 0, one.payload))
    else if (one !== null) raw.frames.unshift(one)
  }
}

describe('close', () => {
  it('lets open streams end, takes those that were on their way, and refuses later ones', async () => {
    const server = await start()
    const raw = await rawHttp2(server.port)
    request(raw, 1, true)
    await server.until(() => server.seen.length === 1)
    const closed = server.close(60_000)
    expect(await goaway(raw)).toMatchObject({ last: 0x7fffffff, code: ErrorCode.NO_ERROR })
    const first = await raw.next(({ type }) => type === Frame.PING)
    // A client may have named a stream, and answer the PING, before it writes that stream's header.
    raw.send(frame(Frame.PING, 1, 0, first?.payload))
    request(raw, 3, true)
    await acknowledgePings(raw)
    expect(await goaway(raw)).toMatchObject({ last: 3, code: ErrorCode.NO_ERROR })
    request(raw, 5, true)
    expect(await resetCode(raw, 5)).toBe(ErrorCode.REFUSED_STREAM)
    for (const { stream } of server.seen) stream.answer(OK, [Buffer.from('last')], STATUS)
    expect(await body(raw, 1)).toBe(4)
    expect(await body(raw, 3)).toBe(4)
    await closed
    await raw.closed
    expect(server.connections).toBe(0)
  })

  it('tells a peer that goes on opening streams when to stop', async () => {
    const server = await start()
    const raw = await rawHttp2(server.port)
    const closed = server.close(60_000)
    let id = 1
    let pings = 0
    for (let last = false; !last; ) {
      const one = await raw.next(({ type }) => type === Frame.PING || type === Frame.GOAWAY)
      last = one?.type === Frame.GOAWAY && one.payload.readUInt32BE(0) < 0x7fffffff
      if (one?.type !== Frame.PING) continue
      raw.send(frame(Frame.PING, 1, 0, one.payload))
      request(raw, id, true)
      id += 2
      pings++
    }
    expect(pings).toBeLessThan(20)
    raw.destroy()
    await closed
  })

  it('cuts what is left after its time', async () => {
    const server = await start()
    const raw = await rawHttp2(server.port)
    request(raw, 1, true)
    await server.until(() => server.seen.length === 1)
    await Promise.all([server.close(1), server.close(60_000), raw.closed])
    expect(server.seen[0]?.aborted).toBe(1)
  })

  it('sends the whole of a large answer that was under way', async () => {
    const server = await start()
    const session = client(server.port, { settings: { initialWindowSize: 8_000_000 } })
    const stream = session.request({ ':path': '/' })
    await server.until(() => server.seen.length === 1)
    server.seen[0]?.stream.answer(OK, [new Uint8Array(5_000_000)], STATUS)
    const closed = server.close(60_000)
    let length = 0
    for await (const chunk of stream) length += (chunk as Buffer).length
    expect(length).toBe(5_000_000)
    await closed
  })
})

it('forgets a stream that a client cancels', async () => {
  const server = await start()
  const session = client(server.port)
  const stream = session.request({ ':path': '/' })
  stream.on('error', () => undefined)
  await server.until(() => server.seen.length === 1)
  stream.close(constants.NGHTTP2_CANCEL)
  await server.until(() => server.seen[0]?.aborted === 1)
  expect(server.streams).toBe(0)
  expect(server.connections).toBe(1)
})
