import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../adapters/http2/types.ts'
import {
  Flag,
  Frame,
  frame,
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

const INITIAL_WINDOW_SIZE = 4

let server: TestHttp2
let raw: RawHttp2
const connect = async (...pairs: [number, number][]) => {
  raw = await rawHttp2(server.port, { settings: settings(...pairs) })
}
const data = (id: number, payload: Uint8Array, flags = 0) =>
  raw.send(frame(Frame.DATA, flags, id, payload))

beforeEach(async () => {
  server = await testHttp2()
})
afterEach(async () => {
  raw.destroy()
  await server.close(0)
  expect(server.errors).toEqual([])
})

describe('windows for what we send', () => {
  it('are kept to, also where SETTINGS make one negative', async () => {
    await connect([INITIAL_WINDOW_SIZE, 10])
    request(raw, 1, true)
    await server.until(() => server.seen.length === 1)
    server.seen[0]?.stream.answer(OK, [new Uint8Array(30)], STATUS)
    const first = await raw.next(({ type }) => type === Frame.DATA)
    expect(first?.payload.length).toBe(10)
    raw.send(frame(Frame.SETTINGS, 0, 0, settings([INITIAL_WINDOW_SIZE, 4])))
    raw.send(frame(Frame.WINDOW_UPDATE, 0, 1, uint32(6)))
    expect(await raw.ping()).toBe(true)
    expect(raw.frames.filter(({ type }) => type === Frame.DATA)).toEqual([])
    raw.send(frame(Frame.WINDOW_UPDATE, 0, 1, uint32(5)))
    const second = await raw.next(({ type }) => type === Frame.DATA)
    expect(second?.payload.length).toBe(5)
    raw.send(frame(Frame.SETTINGS, 0, 0, settings([INITIAL_WINDOW_SIZE, 100])))
    expect(await body(raw, 1)).toBe(15)
  })

  it('of the connection hold back bodies but not other streams’ headers', async () => {
    await connect([INITIAL_WINDOW_SIZE, 1_000_000])
    request(raw, 1, true)
    request(raw, 3, true)
    await server.until(() => server.seen.length === 2)
    server.seen[0]?.stream.answer(OK, [new Uint8Array(100_000)], STATUS)
    server.seen[1]?.stream.headers(STATUS, true)
    expect(await body(raw, 3)).toBe(0)
    expect(server.streams).toBe(1)
    raw.send(frame(Frame.WINDOW_UPDATE, 0, 0, uint32(100_000)))
    expect(await body(raw, 1)).toBe(100_000)
  })

  it('do not let a stream without window stop another one', async () => {
    await connect([INITIAL_WINDOW_SIZE, 0])
    for (const id of [1, 3, 5]) request(raw, id, true)
    await server.until(() => server.seen.length === 3)
    for (const { stream } of server.seen) stream.answer(OK, [new Uint8Array(20_000)], STATUS)
    raw.send(frame(Frame.WINDOW_UPDATE, 0, 5, uint32(20_000)))
    expect(await body(raw, 5)).toBe(20_000)
    raw.send(frame(Frame.WINDOW_UPDATE, 0, 1, uint32(20_000)))
    expect(await body(raw, 1)).toBe(20_000)
  })
})

describe('what waits', () => {
  it('is released once it is sent, or once it never will be', async () => {
    await connect([INITIAL_WINDOW_SIZE, 50_000])
    for (const id of [1, 3]) request(raw, id, true)
    await server.until(() => server.seen.length === 2)
    const released: number[] = []
    for (const { stream } of server.seen) {
      stream.headers(OK, false)
      stream.data(new Uint8Array(60_000), () => released.push(stream.id))
      stream.data(new Uint8Array(10), () => released.push(stream.id))
    }
    expect(server.seen[0]?.stream.unsent).toBe(60_010)
    raw.send(frame(Frame.RST_STREAM, 0, 1, uint32(ErrorCode.CANCEL)))
    await server.until(() => server.seen[0]?.aborted === 1)
    expect(await raw.ping()).toBe(true)
    expect(released).toEqual([1, 1])
    raw.send(frame(Frame.WINDOW_UPDATE, 0, 0, uint32(1_000_000)))
    raw.send(frame(Frame.WINDOW_UPDATE, 0, 3, uint32(1_000_000)))
    server.seen[1]?.stream.trailers(STATUS)
    expect(await body(raw, 3)).toBe(60_010)
    expect(released).toEqual([1, 1, 3, 3])
  })

  it('is not released while a write of it is under way, not even by a reset', async () => {
    await connect([INITIAL_WINDOW_SIZE, 0x7fffffff])
    raw.send(frame(Frame.WINDOW_UPDATE, 0, 0, uint32(0x7fff0000)))
    request(raw, 1, true)
    await server.until(() => server.seen.length === 1)
    raw.socket.pause()
    const { stream } = server.seen[0]!
    let released = false
    const release = new Promise<void>((resolve) => {
      stream.headers(OK, false)
      stream.data(new Uint8Array(50_000_000), () => {
        released = true
        resolve()
      })
    })
    raw.send(frame(Frame.RST_STREAM, 0, 1, uint32(ErrorCode.CANCEL)))
    await server.until(() => server.seen[0]?.aborted === 1)
    expect(released).toBe(false)
    raw.socket.resume()
    await release
  })

  it('tells the application to stop at the mark and to go on below it', async () => {
    await server.close(0)
    server = await testHttp2({ limits: { writeHighWater: 50_000 } })
    await connect([INITIAL_WINDOW_SIZE, 0])
    request(raw, 1, true)
    await server.until(() => server.seen.length === 1)
    const { stream } = server.seen[0]!
    stream.headers(OK, false)
    expect(stream.data(new Uint8Array(40_000))).toBe(true)
    expect(stream.data(new Uint8Array(40_000))).toBe(false)
    raw.send(frame(Frame.WINDOW_UPDATE, 0, 1, uint32(1_000)))
    expect(await raw.ping()).toBe(true)
    expect(server.seen[0]?.writable).toBe(0)
    raw.send(frame(Frame.WINDOW_UPDATE, 0, 1, uint32(40_000)))
    await server.until(() => server.seen[0]?.writable === 1)
    expect(stream.unsent).toBeLessThanOrEqual(50_000)
  })
})

describe('bodies', () => {
  it('come without their padding, which costs no window', async () => {
    await connect()
    request(raw, 1, false)
    const padded = Buffer.alloc(1 + 1_000 + 255)
    padded[0] = 255
    let allowed = 65_536
    for (let i = 0; i < 60; i++) {
      while (allowed < padded.length) {
        const one = await raw.next(
          ({ type, stream }) => type === Frame.WINDOW_UPDATE && stream === 1,
        )
        allowed += one!.payload.readUInt32BE(0)
      }
      data(1, padded, Flag.PADDED)
      allowed -= padded.length
    }
    data(1, Buffer.from([0]), Flag.PADDED | Flag.END_STREAM)
    await server.until(() => server.seen[0]?.ended === true)
    const length = server.seen[0]?.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    expect(length).toBe(60 * 1_000)
  })

  it('may not exceed the credit that was given', async () => {
    await connect()
    request(raw, 1, false)
    for (let i = 0; i < 4; i++) data(1, Buffer.alloc(16_384))
    expect(await raw.ping()).toBe(true)
    data(1, Buffer.alloc(1))
    expect(await resetCode(raw, 1)).toBe(ErrorCode.FLOW_CONTROL_ERROR)
    expect(server.seen[0]?.aborted).toBe(1)
  })

  it('get as much credit as is given, announced before the peer runs dry', async () => {
    await connect()
    request(raw, 1, false)
    await server.until(() => server.seen.length === 1)
    for (let i = 0; i < 3; i++) server.seen[0]?.stream.credit(1)
    for (let i = 0; i < 4; i++) data(1, Buffer.alloc(16_384))
    let credit = 0
    while (credit < 3) {
      const one = await raw.next(({ type, stream }) => type === Frame.WINDOW_UPDATE && stream === 1)
      credit += one!.payload.readUInt32BE(0)
    }
    expect(credit).toBe(3)
  })

  it('that nobody waits for are stopped, and what was under way is ignored', async () => {
    await connect()
    request(raw, 1, false)
    await server.until(() => server.seen.length === 1)
    server.seen[0]?.stream.answer(OK, [Buffer.from('early')], STATUS)
    expect(await body(raw, 1)).toBe(5)
    expect(await resetCode(raw, 1)).toBe(ErrorCode.NO_ERROR)
    data(1, Buffer.alloc(100))
    raw.send(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, STATUS.encoded))
    expect(await raw.ping()).toBe(true)
    expect(server.seen[0]?.chunks).toEqual([])
    expect(server.seen[0]?.aborted).toBe(0)
  })

  it('end with trailers too', async () => {
    await connect()
    request(raw, 1, false)
    data(1, Buffer.from('x'))
    raw.send(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, STATUS.encoded))
    await server.until(() => server.seen[0]?.ended === true)
    expect(Buffer.concat(server.seen[0]!.chunks).toString()).toBe('x')
  })

  it('keep their connection going past its first window', async () => {
    await server.close(0)
    server = await testHttp2({ limits: { connectionWindow: 100_000, streamWindow: 1_000_000 } })
    await connect()
    request(raw, 1, false)
    let allowed = 100_000
    for (let sent = 0; sent < 500_000; sent += 10_000) {
      while (allowed < 10_000) {
        const one = await raw.next(
          ({ type, stream }) => type === Frame.WINDOW_UPDATE && stream === 0,
        )
        allowed += one!.payload.readUInt32BE(0)
      }
      data(1, Buffer.alloc(10_000))
      allowed -= 10_000
    }
    data(1, Buffer.alloc(0), Flag.END_STREAM)
    await server.until(() => server.seen[0]?.ended === true)
  })
})

describe('a header block', () => {
  it('may come in CONTINUATIONs of any size', async () => {
    await connect()
    raw.send(frame(Frame.HEADERS, Flag.END_STREAM, 1, POST.subarray(0, 1)))
    raw.send(frame(Frame.CONTINUATION, 0, 1))
    raw.send(frame(Frame.CONTINUATION, 0, 1, POST.subarray(1, 3)))
    raw.send(frame(Frame.CONTINUATION, Flag.END_HEADERS, 1, POST.subarray(3)))
    await server.until(() => server.seen.length === 1)
    expect(server.seen[0]?.stream.head).toMatchObject({ method: 'POST', path: '/' })
  })

  it('is the same object while a connection repeats it', async () => {
    await connect()
    for (const id of [1, 3]) request(raw, id, true)
    await server.until(() => server.seen.length === 2)
    expect(server.seen[1]?.stream.head).toBe(server.seen[0]?.stream.head)
  })

  it('that is malformed costs its stream, not the connection', async () => {
    await connect()
    request(raw, 1, true, POST.subarray(0, 1))
    expect(await resetCode(raw, 1)).toBe(ErrorCode.PROTOCOL_ERROR)
    request(raw, 3, true)
    await server.until(() => server.seen.length === 1)
  })

  it('that is no HPACK costs the connection', async () => {
    await connect()
    request(raw, 1, true, Uint8Array.of(0x80))
    expect(await goaway(raw)).toMatchObject({ code: ErrorCode.COMPRESSION_ERROR })
  })
})

it('sends an answer in one piece where the windows allow', async () => {
  await connect()
  request(raw, 1, true)
  await server.until(() => server.seen.length === 1)
  const chunks: number[] = []
  raw.socket.on('data', (chunk) => chunks.push(chunk.length))
  server.seen[0]?.stream.answer(OK, [Buffer.from('a'), Buffer.from('b')], STATUS)
  expect(await body(raw, 1)).toBe(2)
  expect(chunks.length).toBe(1)
})

it('survives handlers that throw, which costs them their connection', async () => {
  const errors: string[] = []
  const broken = (what: string) => {
    throw new Error(what)
  }
  await server.close(0)
  server = await testHttp2({
    onStream: () => ({ data: () => broken('data'), aborted: () => broken('aborted') }),
    log: { warning: (text) => errors.push(text), error: (text) => errors.push(text) },
  })
  await connect()
  request(raw, 1, false)
  data(1, Buffer.from('x'))
  expect(await goaway(raw)).toMatchObject({ code: ErrorCode.INTERNAL_ERROR })
  await raw.closed
  expect(errors.map((text) => /data|aborted/.exec(text)?.[0])).toEqual(['data', 'aborted'])
  await connect()
  expect(await raw.ping()).toBe(true)
})
