import { connect } from 'node:net'
import { INFER_PATH, STREAM_INFER_PATH } from '../../adapters/grpc/routes.ts'
import { headerBlock } from '../../adapters/http2/hpack/encoder.ts'
import {
  Flag,
  Frame,
  frame,
  PREFACE,
  type RawHttp2,
  rawHttp2,
  settings,
  uint32,
} from '../helpers/raw-http2.ts'
import { inferMessage } from './grpc-inference.ts'
import { inference } from './inference.ts'

/** What one hostile peer is given. */
export interface Battle {
  readonly restPort: number
  readonly grpcPort: number
  readonly random: () => number
  /** Nobody may go on after this. */
  over(): boolean
}

/** Lives until its connection is cut, by either side, or it has had its say. */
export type HostilePeer = (battle: Battle) => Promise<void>

const FRAMES_PER_WRITE = 100
/** Of a slow peer, between two bytes. */
const SLOW_MS = 100
/** A connection that the server keeps is left by the peer after this. */
const LIFE_MS = 3_000

const head = (path: string): Uint8Array =>
  headerBlock([
    ...[':method', 'POST', ':scheme', 'http', ':path', path, ':authority', 'a'],
    ...['content-type', 'application/grpc', 'te', 'trailers'],
  ]).encoded
const INFER = head(INFER_PATH)
const STREAM = head(STREAM_INFER_PATH)
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function call(id: number, block = INFER): Buffer {
  return frame(Frame.HEADERS, Flag.END_HEADERS, id, block)
}

function body(id: number, serial: number, end: boolean): Buffer {
  const message = inferMessage(inference('fast', serial, { rows: 8, binary: true }))
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  const bytes = Buffer.concat([prefix, message])
  return frame(Frame.DATA, end ? Flag.END_STREAM : 0, id, bytes)
}

/** Sends `first`, then one frame after the other until it is cut. */
function flood(first: Uint8Array | null, make: (at: number, random: () => number) => Uint8Array) {
  return async (battle: Battle): Promise<void> => {
    const peer = await rawHttp2(battle.grpcPort)
    const end = performance.now() + LIFE_MS
    if (first !== null) peer.send(first)
    for (let at = 0; !peer.ended && !battle.over() && performance.now() < end; ) {
      const parts: Uint8Array[] = []
      for (let i = 0; i < FRAMES_PER_WRITE; i++) parts.push(make(at++, battle.random))
      peer.send(...parts)
      await Promise.race([peer.drained(), pause(LIFE_MS)])
      await new Promise((resolve) => setImmediate(resolve))
    }
    peer.destroy()
  }
}

async function left(battle: Battle, peer: RawHttp2): Promise<void> {
  const end = performance.now() + LIFE_MS
  while (!peer.ended && !battle.over() && performance.now() < end) await pause(SLOW_MS)
  peer.destroy()
}

/** Asks and gives no room for the answers. */
const noWindow: HostilePeer = async (battle) => {
  const peer = await rawHttp2(battle.grpcPort, { settings: settings([4, 0]) })
  for (let at = 0; at < 50; at++) peer.send(call(2 * at + 1), body(2 * at + 1, at, true))
  await left(battle, peer)
}

/** Asks and never reads from its socket. */
const neverReads: HostilePeer = async (battle) => {
  const peer = await rawHttp2(battle.grpcPort)
  peer.socket.pause()
  peer.send(call(1, STREAM))
  for (let at = 0; at < 2_000 && !peer.ended; at++) peer.send(body(1, at, false))
  await left(battle, peer)
}

/** A message, byte for byte. */
const slowMessage: HostilePeer = async (battle) => {
  const peer = await rawHttp2(battle.grpcPort)
  peer.send(call(1))
  const end = performance.now() + LIFE_MS
  while (!peer.ended && !battle.over() && performance.now() < end) {
    peer.send(frame(Frame.DATA, 0, 1, Buffer.from([0])))
    await pause(SLOW_MS)
  }
  peer.destroy()
}

/** A prefix that promises more than anybody sends. */
const hugePrefix: HostilePeer = async (battle) => {
  const peer = await rawHttp2(battle.grpcPort)
  for (let at = 0; at < 50; at++) {
    const prefix = Buffer.from([0, 0x7f, 0xff, 0xff, 0xff])
    peer.send(call(2 * at + 1), frame(Frame.DATA, 0, 2 * at + 1, prefix))
  }
  await left(battle, peer)
}

const badHpack: HostilePeer = async (battle) => {
  const peer = await rawHttp2(battle.grpcPort)
  const block = Buffer.from(Array.from({ length: 60 }, () => Math.floor(battle.random() * 256)))
  peer.send(call(1, block))
  await left(battle, peer)
}

/** Bytes on a plain socket, one write each {@link SLOW_MS}. */
function dribble(door: 'restPort' | 'grpcPort', make: () => Uint8Array, step: number): HostilePeer {
  return async (battle) => {
    const socket = connect({ port: battle[door], host: '127.0.0.1' })
    let ended = false
    socket.on('error', () => {})
    socket.on('close', () => {
      ended = true
    })
    socket.resume()
    const bytes = make()
    const end = performance.now() + LIFE_MS
    for (let at = 0; !ended && !battle.over() && performance.now() < end; at += step) {
      if (at < bytes.length) socket.write(bytes.subarray(at, at + step))
      await pause(SLOW_MS)
    }
    socket.destroy()
  }
}

const POST = 'POST /v2/models/fast/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n'

export const HOSTILE: Readonly<Record<string, HostilePeer>> = {
  'rapid reset': flood(null, (at) =>
    Buffer.concat([call(2 * at + 1), frame(Frame.RST_STREAM, 0, 2 * at + 1, uint32(8))]),
  ),
  'made to reset': flood(null, (at) =>
    Buffer.concat([call(2 * at + 1), frame(Frame.WINDOW_UPDATE, 0, 2 * at + 1, uint32(0))]),
  ),
  CONTINUATION: flood(frame(Frame.HEADERS, 0, 1, INFER), () =>
    frame(Frame.CONTINUATION, 0, 1, Buffer.alloc(100, 0x82)),
  ),
  PING: flood(null, () => frame(Frame.PING, 0, 0, Buffer.alloc(8))),
  SETTINGS: flood(null, (at) => frame(Frame.SETTINGS, 0, 0, settings([4, at]))),
  PRIORITY: flood(null, () => frame(Frame.PRIORITY, 0, 1, Buffer.from([0, 0, 0, 0, 1]))),
  'empty DATA': flood(call(1), () => frame(Frame.DATA, 0, 1)),
  'small windows': flood(call(1), () => frame(Frame.WINDOW_UPDATE, 0, 1, uint32(1))),
  'window overflow': flood(null, () => frame(Frame.WINDOW_UPDATE, 0, 0, uint32(0x7fffffff))),
  'frames of any kind': flood(null, (_, random) =>
    frame(
      Math.floor(random() * 12),
      Math.floor(random() * 256),
      Math.floor(random() * 5),
      Buffer.alloc(Math.floor(random() * 20), Math.floor(random() * 256)),
    ),
  ),
  'no window': noWindow,
  'never reads': neverReads,
  'slow message': slowMessage,
  'huge prefix': hugePrefix,
  'bad HPACK': badHpack,
  'slow preface': dribble('grpcPort', () => PREFACE, 1),
  'slow head': dribble('restPort', () => Buffer.from(POST), 1),
  'slow body': dribble('restPort', () => Buffer.from(`${POST}{"inputs":[`), POST.length),
}
