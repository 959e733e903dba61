import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ErrorCode, type Http2ServerOptions } from '../../../adapters/http2/types.ts'
import {
  Flag,
  Frame,
  frame,
  PREFACE,
  type RawHttp2,
  rawHttp2,
  settings,
  uint32,
} from '../../helpers/raw-http2.ts'
import {
  body,
  goaway,
  OK,
  POST,
  request,
  resetCode,
  STATUS,
  type TestHttp2,
  testHttp2,
} from './start.ts'

let server: TestHttp2
let raw: RawHttp2 | undefined
afterEach(async () => {
  raw?.destroy()
  await server.close(0)
  expect(server.connections).toBe(0)
  expect(server.errors).toEqual([])
})
const start = async (options: Partial<Http2ServerOptions>, pairs: [number, number][] = []) => {
  server = await testHttp2(options)
  raw = await rawHttp2(server.port, { settings: settings(...pairs) })
  return raw
}
const CALM = { code: ErrorCode.ENHANCE_YOUR_CALM }

describe('floods', () => {
  const few = { limits: { maxIdleFramesPerSecond: 50 }, keepalive: { maxPingStrikes: 0 } }
  it.each([
    ['PING', frame(Frame.PING, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', frame(Frame.SETTINGS, 0, 0)],
    ['PRIORITY', frame(Frame.PRIORITY, 0, 1, Buffer.alloc(5))],
    ['WINDOW_UPDATE', frame(Frame.WINDOW_UPDATE, 0, 0, uint32(1))],
    ['unknown frames', frame(200, 0, 0)],
    ['RST_STREAM of a closed stream', frame(Frame.RST_STREAM, 0, 1, uint32(0))],
  ])('of %s end the connection', async (_what, one) => {
    const peer = await start(few)
    request(peer, 1, true)
    peer.send(frame(Frame.RST_STREAM, 0, 1, uint32(8)))
    for (let i = 0; i < 100; i++) peer.send(one)
    expect(await goaway(peer)).toMatchObject(CALM)
    await peer.closed
  })

  it('of empty DATA end the connection', async () => {
    const peer = await start(few)
    request(peer, 1, false)
    for (let i = 0; i < 100; i++) peer.send(frame(Frame.DATA, 0, 1))
    expect(await goaway(peer)).toMatchObject(CALM)
    await server.until(() => server.seen[0]?.aborted === 1)
  })

  it('are not seen in WINDOW_UPDATEs that bodies explain', async () => {
    const peer = await start(few)
    request(peer, 1, false)
    for (let i = 0; i < 60; i++) {
      peer.send(frame(Frame.DATA, 0, 1, Buffer.alloc(1_000)))
      peer.send(frame(Frame.WINDOW_UPDATE, 0, 0, uint32(1)))
      peer.send(frame(Frame.WINDOW_UPDATE, 0, 1, uint32(1)))
    }
    expect(await peer.ping()).toBe(true)
  })

  it('are not seen in the four WINDOW_UPDATEs of gRPC’s C core for each small message', async () => {
    const peer = await start(few)
    request(peer, 1, true)
    await server.until(() => server.seen.length === 1)
    server.seen[0]?.stream.headers(OK, false)
    for (let i = 0; i < 60; i++) {
      server.seen[0]?.stream.data(Buffer.alloc(20))
      for (const id of [0, 0, 1, 1]) peer.send(frame(Frame.WINDOW_UPDATE, 0, id, uint32(10)))
    }
    expect(await peer.ping()).toBe(true)
  })

  it('of WINDOW_UPDATEs that let a message go an octet at a time end the connection', async () => {
    const peer = await start(few, [[4, 0]])
    request(peer, 1, true)
    await server.until(() => server.seen.length === 1)
    server.seen[0]?.stream.headers(OK, false)
    server.seen[0]?.stream.data(Buffer.alloc(1_000))
    for (let i = 0; i < 100; i++) peer.send(frame(Frame.WINDOW_UPDATE, 0, 1, uint32(1)))
    expect(await goaway(peer)).toMatchObject(CALM)
  })

  it('of resets end the connection', async () => {
    const peer = await start({ limits: { maxResets: 10 } })
    for (let id = 1; id < 40; id += 2) {
      request(peer, id, true)
      peer.send(frame(Frame.RST_STREAM, 0, id, uint32(8)))
    }
    expect(await goaway(peer)).toMatchObject(CALM)
    expect(server.seen.length).toBe(11)
  })

  it('of resets that we are made to send end the connection too', async () => {
    const peer = await start({ limits: { maxResets: 10 } })
    for (let id = 1; id < 40; id += 2) {
      request(peer, id, true)
      peer.send(frame(Frame.WINDOW_UPDATE, 0, id, uint32(0)))
    }
    expect(await goaway(peer)).toMatchObject(CALM)
  })

  it('of resets are no flood while most calls are let end', async () => {
    server = await testHttp2({ limits: { maxResets: 10 } }, ({ stream }) => {
      if (stream.id % 8 !== 1) stream.headers(OK, true)
    })
    raw = await rawHttp2(server.port, { settings: settings() })
    const peer = raw
    for (let id = 1; id < 400; id += 2) {
      request(peer, id, true)
      if (id % 8 === 1) peer.send(frame(Frame.RST_STREAM, 0, id, uint32(8)))
    }
    expect(await peer.ping()).toBe(true)
  })

  it('of CONTINUATION end the connection, by number and by size', async () => {
    for (const piece of [Buffer.alloc(1, 0x82), Buffer.alloc(16_000, 0x82)]) {
      const peer = await start({})
      peer.send(frame(Frame.HEADERS, 0, 1, piece))
      for (let i = 0; i < 80; i++) peer.send(frame(Frame.CONTINUATION, 0, 1, piece))
      expect(await goaway(peer)).toMatchObject(CALM)
      peer.destroy()
      await server.close(0)
    }
  })
})

describe('keepalive', () => {
  it('ends a connection that pings too much, in gRPC’s words', async () => {
    const peer = await start({})
    for (let i = 0; i < 4; i++) peer.send(frame(Frame.PING, 0, 0, Buffer.alloc(8)))
    expect(await goaway(peer)).toMatchObject({ ...CALM, debug: 'too_many_pings' })
  })

  it('pings, and cuts a peer that does not answer', async () => {
    const keepalive = { timeMs: 20, timeoutMs: 20, permitWithoutCalls: true }
    const peer = await start({ keepalive })
    expect((await peer.next(({ type }) => type === Frame.PING))?.flags).toBe(0)
    await peer.closed
  })

  it('retires a connection at its age and cuts it after the grace', async () => {
    const peer = await start({ keepalive: { maxConnectionAgeMs: 20, maxConnectionAgeGraceMs: 20 } })
    request(peer, 1, true)
    expect(await goaway(peer)).toMatchObject({ last: 0x7fffffff, code: ErrorCode.NO_ERROR })
    await peer.closed
    await server.until(() => server.seen[0]?.aborted === 1)
  })
})

describe('time limits', () => {
  it('end a connection without a preface', async () => {
    server = await testHttp2({ limits: { handshakeMs: 20 } })
    const socket = connectTcp(server.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.resume()
    socket.write(PREFACE.subarray(0, 5))
    await once(socket, 'close')
  })

  it('end a connection whose peer never acknowledges SETTINGS', async () => {
    server = await testHttp2({ limits: { handshakeMs: 20 } })
    raw = await rawHttp2(server.port, { acknowledge: false })
    expect(await goaway(raw)).toMatchObject({ code: ErrorCode.SETTINGS_TIMEOUT })
  })

  it('end a connection whose header block never ends', async () => {
    const peer = await start({ limits: { readStallMs: 20 } })
    // Nothing may come between the frames of a block, so SETTINGS have to be acknowledged before.
    await peer.ping()
    peer.send(frame(Frame.HEADERS, 0, 1, POST))
    expect(await goaway(peer)).toMatchObject(CALM)
  })

  it('reset a body that stalls, unless its handler lets it idle', async () => {
    const peer = await start({ limits: { readStallMs: 20 } })
    request(peer, 1, false)
    expect(await resetCode(peer, 1)).toBe(ErrorCode.CANCEL)
    expect(server.seen[0]?.aborted).toBe(1)
    peer.destroy()
    await server.close(0)

    const idle = await start({
      limits: { readStallMs: 20 },
      onStream: (stream) => ({
        mayIdle: stream.head.path === '/',
        data: () => undefined,
        aborted: () => undefined,
      }),
    })
    request(idle, 1, false)
    // `PUT`-less path `/index.html` of the static table: a stream that may not idle, for comparison.
    request(idle, 3, false, Uint8Array.of(0x83, 0x86, 0x85))
    expect(await resetCode(idle, 3)).toBe(ErrorCode.CANCEL)
    expect(server.streams).toBe(1)
  })

  it('reset an answer that no window lets out', async () => {
    const peer = await start({ limits: { writeStallMs: 20 } }, [[4, 0]])
    request(peer, 1, true)
    await server.until(() => server.seen.length === 1)
    let released = 0
    server.seen[0]?.stream.answer(OK, [new Uint8Array(10)], STATUS, () => released++)
    expect(await resetCode(peer, 1)).toBe(ErrorCode.CANCEL)
    expect(server.seen[0]?.aborted).toBe(1)
    expect(await peer.ping()).toBe(true)
    expect(released).toBe(1)
  })

  it('cut a peer that takes nothing', async () => {
    const peer = await start({ limits: { writeStallMs: 50 } }, [[4, 0x7fffffff]])
    peer.send(frame(Frame.WINDOW_UPDATE, 0, 0, uint32(0x7fff0000)))
    request(peer, 1, true)
    await server.until(() => server.seen.length === 1)
    peer.socket.pause()
    server.seen[0]?.stream.answer(OK, [new Uint8Array(50_000_000)], STATUS)
    await server.until(() => server.seen[0]?.aborted === 1)
    expect(server.streams).toBe(0)
    peer.socket.resume()
    await peer.closed
  })
})

it('serves others while a peer is refused', async () => {
  const peer = await start({ limits: { maxResets: 1 } })
  const good = await rawHttp2(server.port)
  for (let id = 1; id < 9; id += 2) {
    request(peer, id, true)
    peer.send(frame(Frame.RST_STREAM, Flag.ACK, id, uint32(8)))
  }
  expect(await goaway(peer)).toMatchObject(CALM)
  request(good, 1, true)
  await server.until(() => server.seen.at(-1)?.aborted === 0)
  server.seen.at(-1)?.stream.answer(OK, [Buffer.from('fine')], STATUS)
  expect(await body(good, 1)).toBe(4)
  good.destroy()
})
