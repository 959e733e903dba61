import { constants } from 'node:http2'
import { describe, expect, it } from 'vitest'
import { headerBlock } from '../../adapters/http2/hpack/encoder.ts'
import { startHttp2 } from '../../adapters/http2/server.ts'
import {
  echo,
  GET_HEAD,
  http2Harness,
  IGNORED,
  POST_HEAD,
  pattern,
  request,
  until,
} from '../helpers/http2-app.ts'
import { Flag, Frame, frame, type RawHttp2, settings, uint32 } from '../helpers/raw-http2.ts'

/** Frames per write. */
const BATCH = 200
const PATIENT = { minRecvPingIntervalWithoutDataMs: 0, maxPingStrikes: 1_000_000_000 }
/** A flood that reaches this was not cut. */
const ENDLESS = 200_000
/** What one attack may leave in memory: the collector's own noise is a part of it. */
const MAX_GROWTH = 32 * 1024 * 1024

const open = (id: number) => frame(Frame.HEADERS, Flag.END_HEADERS, id, POST_HEAD)
const POSTED = open(1)
const OPENED = frame(Frame.HEADERS, 0, 1, POST_HEAD)

/** What is sent once, then again and again; `at` counts. */
const FLOODS: readonly (readonly [string, Uint8Array | null, (at: number) => Uint8Array])[] = [
  [
    'streams that are opened and reset (CVE-2023-44487)',
    null,
    (at) => Buffer.concat([open(2 * at + 1), frame(Frame.RST_STREAM, 0, 2 * at + 1, uint32(8))]),
  ],
  [
    'streams that the server is made to reset (CVE-2025-8671)',
    null,
    (at) => Buffer.concat([open(2 * at + 1), frame(Frame.WINDOW_UPDATE, 0, 2 * at + 1, uint32(0))]),
  ],
  [
    'streams over the limit',
    Buffer.concat(Array.from({ length: 100 }, (_, at) => open(2 * at + 1))),
    (at) => open(2 * (at + 100) + 1),
  ],
  [
    'CONTINUATION without end (CVE-2024-27983)',
    OPENED,
    () => frame(Frame.CONTINUATION, 0, 1, Buffer.alloc(100, 0x82)),
  ],
  ['empty CONTINUATION without end', OPENED, () => frame(Frame.CONTINUATION, 0, 1)],
  [
    'many CONTINUATIONs for each request',
    null,
    (at) =>
      Buffer.concat([
        frame(Frame.HEADERS, Flag.END_STREAM, 2 * at + 1, GET_HEAD),
        ...Array.from({ length: 200 }, () => frame(Frame.CONTINUATION, 0, 2 * at + 1)),
        frame(Frame.CONTINUATION, Flag.END_HEADERS, 2 * at + 1),
      ]),
  ],
  ['PING', null, () => frame(Frame.PING, 0, 0, Buffer.alloc(8))],
  ['PING acknowledgements', null, () => frame(Frame.PING, Flag.ACK, 0, Buffer.alloc(8))],
  ['empty SETTINGS', null, () => frame(Frame.SETTINGS, 0, 0)],
  ['SETTINGS that change windows', POSTED, (at) => frame(Frame.SETTINGS, 0, 0, settings([4, at]))],
  ['SETTINGS acknowledgements', null, () => frame(Frame.SETTINGS, Flag.ACK, 0)],
  [
    'PRIORITY',
    null,
    (at) => frame(Frame.PRIORITY, 0, (2 * at + 1) & 0xffff, Buffer.from([0, 0, 0, 0, 1])),
  ],
  ['empty DATA', POSTED, () => frame(Frame.DATA, 0, 1)],
  [
    'padding without data',
    POSTED,
    () => frame(Frame.DATA, Flag.PADDED, 1, Buffer.from([3, 0, 0, 0])),
  ],
  ['small WINDOW_UPDATEs of a connection', null, () => frame(Frame.WINDOW_UPDATE, 0, 0, uint32(1))],
  ['small WINDOW_UPDATEs of a stream', POSTED, () => frame(Frame.WINDOW_UPDATE, 0, 1, uint32(1))],
  ['frames of unknown types', null, () => frame(0xbe, 0, 0, Buffer.alloc(10))],
]

describe('a hostile HTTP/2 peer', () => {
  const { serve, client, raw } = http2Harness(startHttp2)

  /** Sends until the connection ends; returns how many it sent, at most {@link ENDLESS}. */
  async function flood(peer: RawHttp2, make: (at: number) => Uint8Array): Promise<number> {
    let at = 0
    while (at < ENDLESS && !peer.ended) {
      const parts: Uint8Array[] = []
      for (let left = BATCH; left > 0; left--) parts.push(make(at++))
      peer.send(...parts)
      await peer.drained()
      await new Promise((resolve) => setImmediate(resolve))
    }
    return at
  }

  it.each(FLOODS)('is cut when it sends %s', async (_, first, make) => {
    // Keepalive would end a flood of PINGs before it is one.
    const server = await serve({ keepalive: PATIENT })
    const neighbour = client(server)
    await request(neighbour)
    const before = memory()
    const peer = await raw(server)
    expect(await peer.ping()).toBe(true)
    if (first !== null) peer.send(first)
    let served = 0
    let over = false
    const serving = (async () => {
      while (!peer.ended && !over) {
        const { body } = await request(neighbour, pattern(1_000))
        expect(body.equals(pattern(1_000))).toBe(true)
        served++
      }
    })()
    const sent = await flood(peer, make)
    over = true
    await serving
    expect(sent).toBeLessThan(ENDLESS)
    expect(served).toBeGreaterThan(0)
    const goaway = peer.frames.find((one) => one.type === Frame.GOAWAY)
    expect(goaway?.payload.readUInt32BE(4)).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    await until(() => server.streams === 0 && server.connections === 1)
    expect(memory() - before).toBeLessThan(MAX_GROWTH)
    expect(server.logged).toEqual([])
  })

  it.each([
    ['PING', frame(Frame.PING, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', frame(Frame.SETTINGS, 0, 0, settings([1, 0]))],
    ['requests', null],
  ])('is cut or held when it sends %s and never reads', async (_, one) => {
    // Counting is off, so that it is the memory for answers that bounds it.
    const server = await serve({
      keepalive: PATIENT,
      limits: { maxIdleFramesPerSecond: 1e9, maxResets: 1e9, writeStallMs: 500 },
    })
    const before = memory()
    const peer = await raw(server)
    peer.socket.pause()
    let at = 0
    const batch = (): Buffer =>
      Buffer.concat(
        Array.from(
          { length: BATCH },
          () =>
            one ?? frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 2 * at++ + 1, GET_HEAD),
        ),
      )
    // A connection that is held takes no more, and is cut when nothing was read for `writeStallMs`.
    while (server.connections > 0 && !peer.ended) {
      if (peer.socket.writableLength < 1024 * 1024) peer.send(batch())
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(server.streams).toBe(0)
    peer.destroy()
    expect(memory() - before).toBeLessThan(MAX_GROWTH)
  })

  it.each([
    ['a connection', 0],
    ['a stream', 1],
  ])(
    'leaves nothing behind when it overflows the window of %s, 1,000 times (CVE-2026-21714)',
    async (_, id) => {
      const server = await serve()
      const before = memory()
      for (let round = 0; round < 20; round++) {
        const peers = await Promise.all(Array.from({ length: 50 }, () => raw(server)))
        for (const peer of peers) {
          peer.send(
            POSTED,
            frame(Frame.WINDOW_UPDATE, 0, id, uint32(0x7fffffff)),
            frame(Frame.WINDOW_UPDATE, 0, id, uint32(0x7fffffff)),
          )
        }
        for (const peer of peers) {
          const end = await peer.next(
            (one) => one.type === (id === 0 ? Frame.GOAWAY : Frame.RST_STREAM),
          )
          expect(end?.payload.readUInt32BE(id === 0 ? 4 : 0)).toBe(
            constants.NGHTTP2_FLOW_CONTROL_ERROR,
          )
          peer.destroy()
        }
      }
      await until(() => server.connections === 0 && server.streams === 0)
      expect(memory() - before).toBeLessThan(MAX_GROWTH)
      expect(server.logged).toEqual([])
    },
  )

  it('is told that its header is too large when a small block grows (HPACK bomb), and can go on', async () => {
    let asked = 0
    const server = await serve({
      onStream: (stream, hasBody) => {
        asked++
        return echo(stream, hasBody)
      },
    })
    const before = memory()
    const peer = await raw(server)
    // One entry of 4,000 octets goes to the table; each octet after it brings the entry again.
    const entry = Buffer.concat([
      Buffer.from('400178' + '7fa11e', 'hex'),
      Buffer.alloc(127 + 0x21 + (0x1e << 7), 'v'),
    ])
    const bomb = (references: number) =>
      Buffer.concat([GET_HEAD, entry, Buffer.alloc(references, 0xbe)])
    for (let at = 0; at < 200; at++) {
      peer.send(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 2 * at + 1, bomb(10_000)))
      const answer = await peer.next((one) => one.stream === 2 * at + 1)
      if (answer === null) break
    }
    expect(asked).toBe(0)
    const other = await raw(server)
    other.send(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, bomb(1)))
    expect((await other.next((one) => one.stream === 1))?.type).toBe(Frame.HEADERS)
    expect(asked).toBe(1)
    expect(memory() - before).toBeLessThan(MAX_GROWTH)
    await until(() => server.streams === 0)
  })

  it('loses the stream when it sends more than its window allows', async () => {
    let got = 0
    let aborted = 0
    const server = await serve({
      limits: { streamWindow: 65_535 },
      onStream: () => ({
        data: (chunk) => {
          got += chunk.length
        },
        aborted: () => aborted++,
      }),
    })
    const peer = await raw(server)
    peer.send(POSTED)
    for (let at = 0; at < 6; at++) peer.send(frame(Frame.DATA, 0, 1, pattern(16_000)))
    const reset = await peer.next((one) => one.type === Frame.RST_STREAM)
    expect(reset?.payload.readUInt32BE(0)).toBe(constants.NGHTTP2_FLOW_CONTROL_ERROR)
    expect(await peer.ping()).toBe(true)
    expect([got, aborted, server.streams]).toEqual([4 * 16_000, 1, 0])
  })

  it('loses the streams whose windows it never opens', async () => {
    let released = 0
    let aborted = 0
    const body = pattern(1_000_000)
    const server = await serve({
      limits: { writeStallMs: 200 },
      onStream: (stream) => {
        stream.answer(OK_HEAD, [body], headerBlock(['grpc-status', '0']), () => released++)
        return { data: () => {}, aborted: () => aborted++ }
      },
    })
    const peer = await raw(server, { settings: settings([4, 0]) })
    for (let at = 0; at < 100; at++) {
      peer.send(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 2 * at + 1, GET_HEAD))
    }
    for (let at = 0; at < 100; at++) await peer.next((one) => one.type === Frame.RST_STREAM)
    expect([released, aborted, server.streams]).toEqual([100, 100, 0])
  })

  it('loses its connection when it never reads a large answer', async () => {
    let released = 0
    const body = pattern(50_000_000)
    const server = await serve({
      limits: { writeStallMs: 200 },
      onStream: (stream) => {
        stream.answer(OK_HEAD, [body], headerBlock([]), () => released++)
        return IGNORED
      },
    })
    const peer = await raw(server, { settings: settings([4, 0x7fffffff]) })
    peer.socket.pause()
    peer.send(
      frame(Frame.WINDOW_UPDATE, 0, 0, uint32(0x7fff0000 - 65_535)),
      frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, GET_HEAD),
    )
    await until(() => server.connections === 1)
    await until(() => server.connections === 0)
    expect([released, server.streams]).toEqual([1, 0])
  })

  it.each([
    ['never begins a body', [POSTED]],
    ['stops within a body', [POSTED, frame(Frame.DATA, 0, 1, pattern(100))]],
    [
      'stops within a frame of a body',
      [POSTED, frame(Frame.DATA, 0, 1, pattern(100)).subarray(0, 50)],
    ],
  ])('loses the stream when it %s', async (_, parts) => {
    let aborted = 0
    const server = await serve({
      limits: { readStallMs: 200 },
      onStream: () => ({ data: () => {}, aborted: () => aborted++ }),
    })
    const peer = await raw(server)
    peer.send(...parts)
    await until(() => aborted > 0)
    await until(() => server.streams === 0)
    expect(aborted).toBe(1)
  })

  it.each([
    ['says nothing', null, []],
    ['sends half a preface', null, [Buffer.from('PRI * HT')]],
    ['stops within a frame', undefined, [frame(Frame.PING, 0, 0, Buffer.alloc(8)).subarray(0, 12)]],
    ['stops within a header block', undefined, [OPENED]],
  ])('loses its connection when it %s', async (_, first, parts) => {
    const server = await serve({ limits: { readStallMs: 200, handshakeMs: 300 } })
    const neighbour = client(server)
    const peer = await raw(server, first === null ? { settings: null } : {})
    // What it sends of itself must not come in between.
    if (first !== null) expect(await peer.ping()).toBe(true)
    for (const part of parts) peer.send(part)
    await peer.closed
    expect((await request(neighbour, pattern(10))).body.length).toBe(10)
    await until(() => server.connections === 1)
  })

  it('gets no connection over the limit, and its place when one ends', async () => {
    const server = await serve({ limits: { maxConnections: 3 } })
    const peers = [await raw(server), await raw(server), await raw(server)]
    for (const peer of peers) expect(await peer.ping()).toBe(true)
    const fourth = await raw(server)
    await fourth.closed
    peers[0]!.destroy()
    await until(() => server.connections === 2)
    expect(await (await raw(server)).ping()).toBe(true)
  })
})

const OK_HEAD = headerBlock([':status', '200'])

/** What is in use after a full collection. */
function memory(): number {
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
