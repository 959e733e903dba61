import type { Socket } from 'node:net'
import { Closed } from './closed-streams.ts'
import { ControlWriter } from './control-writer.ts'
import { Drain } from './drain.ts'
import { Floods } from './floods.ts'
import { Flag, FrameType, MAX_31, PREFACE } from './frame.ts'
import { FrameReader, type FrameSink, PayloadUse } from './frame-reader.ts'
import { FINE, frameError } from './frame-rules.ts'
import { Keepalive } from './keepalive.ts'
import { LINGER_BYTES, MAX_QUEUED_CONTROL_BYTES } from './limits.ts'
import { Output, type SlabPool } from './output.ts'
import { PeerControl, type PeerControlOwner } from './peer-control.ts'
import type { CheckedHead } from './request-head.ts'
import { Requests, type RequestsOwner } from './requests.ts'
import { Sender } from './sender.ts'
import { PeerSettings } from './settings.ts'
import { Stream, type StreamOwner } from './stream.ts'
import { StreamTable } from './stream-table.ts'
import type { TurnEnd } from './turn-end.ts'
import {
  ErrorCode,
  type Http2Limits,
  type Http2ServerOptions,
  type KeepaliveOptions,
  type PeerInfo,
} from './types.ts'

/** What the connections of one server share. */
export interface ConnectionOptions {
  readonly limits: Http2Limits
  readonly keepalive: KeepaliveOptions
  readonly onStream: Http2ServerOptions['onStream']
  readonly log: Http2ServerOptions['log']
  readonly slabs: SlabPool
  readonly turnEnd: TurnEnd
  /** What a server begins with. */
  readonly preface: Uint8Array
}

const KEEPALIVE_PING = new Uint8Array(8)
/** Credit is announced in steps, unless the peer would run dry. */
const CREDIT_STEP = 16 * 1024

/** One connection: frames in, streams to the application, frames out. */
export class Connection implements FrameSink, StreamOwner, RequestsOwner, PeerControlOwner {
  readonly peer: PeerInfo
  readonly streams: StreamTable = new StreamTable()
  readonly output: Output
  readonly control: ControlWriter
  readonly sender: Sender
  readonly floods: Floods
  readonly keepalive: Keepalive
  readonly requests: Requests
  readonly reader: FrameReader
  readonly socket: Socket
  readonly openedAt: number
  /** 0 = serving, 1 = the first GOAWAY was sent, 2 = the last one was sent and new streams are refused. */
  draining: 0 | 1 | 2 = 0
  /** Nothing more is read or sent; the socket closes when the peer has taken what waits. */
  ended = false
  /** It ended because of a fault. */
  failed = false
  /** Something was read since this was last set to false. */
  heard = false
  readonly #options: ConnectionOptions
  readonly #settings = new PeerSettings()
  readonly #peerControl: PeerControl
  readonly #drain: Drain
  #prefaceRead = 0
  #reading = false
  #dirty = false
  #dropped = 0
  #type = 0
  #flags = 0
  #id = 0

  constructor(socket: Socket, peer: PeerInfo, options: ConnectionOptions) {
    this.socket = socket
    this.peer = peer
    this.#options = options
    this.openedAt = performance.now()
    this.output = new Output(socket, options.slabs, () => this.turn())
    this.control = new ControlWriter(this.output)
    this.#drain = new Drain(this.control)
    this.floods = new Floods(options.limits)
    this.keepalive = new Keepalive(options.keepalive, this.openedAt, Math.random())
    this.sender = new Sender(
      this.output,
      this.#settings,
      this.floods,
      options.limits.writeHighWater,
      (stream) => this.#localEnd(stream),
    )
    this.requests = new Requests(this, options.limits)
    this.#peerControl = new PeerControl(this, this.#settings)
    this.reader = new FrameReader(this)
    socket.on('data', (chunk: Buffer) => this.#data(chunk))
    socket.on('end', () => socket.destroy())
    socket.on('close', () => this.#closed())
    const at = this.output.reserve(options.preface.length)
    this.output.slab?.set(options.preface, at)
    this.output.flush()
  }

  /** The peer acknowledged our SETTINGS. */
  get settled(): boolean {
    return this.#peerControl.settled
  }

  get retired(): boolean {
    return this.draining === 2
  }

  #data(chunk: Buffer): void {
    this.heard = true
    if (this.ended) {
      this.#dropped += chunk.length
      if (this.#dropped > LINGER_BYTES) this.socket.destroy()
      return
    }
    this.#reading = true
    try {
      const at = this.#prefaceRead < PREFACE.length ? this.#preface(chunk) : 0
      if (at < chunk.length) this.reader.push(chunk, at)
    } catch (error) {
      this.#broke(error)
    }
    this.#reading = false
    this.turn()
  }

  /** Something threw that must not: an application's handler, or this code. It costs the connection and nothing else. */
  #broke(error: unknown): void {
    this.#options.log.error(`http2: ${error instanceof Error ? error.stack : String(error)}`)
    this.fail(ErrorCode.INTERNAL_ERROR, '')
  }

  /** Returns where frames begin in `chunk`. */
  #preface(chunk: Buffer): number {
    let at = 0
    for (; at < chunk.length && this.#prefaceRead < PREFACE.length; at++) {
      if (chunk[at] !== PREFACE.charCodeAt(this.#prefaceRead++)) {
        this.fail(ErrorCode.PROTOCOL_ERROR, 'not HTTP/2')
        return chunk.length
      }
    }
    return at
  }

  begin(length: number, type: number, flags: number, id: number): number {
    let code = frameError(length, type, flags, id, this.requests.blocks)
    // SETTINGS come first.
    if (
      !this.#peerControl.settingsRead &&
      (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)
    ) {
      code = ErrorCode.PROTOCOL_ERROR
    }
    if (code !== FINE) {
      this.fail(code, '')
      return PayloadUse.STOP
    }
    this.#type = type
    this.#flags = flags
    this.#id = id
    if (type === FrameType.DATA) return this.requests.beginData(length, flags, id)
    if (type > FrameType.CONTINUATION || (type === FrameType.PRIORITY && length !== 5)) {
      if (type === FrameType.PRIORITY)
        return this.#peerControl.badPriority(id, ErrorCode.FRAME_SIZE_ERROR)
      return this.#peerControl.idle() ? PayloadUse.SKIP : PayloadUse.STOP
    }
    return PayloadUse.WHOLE
  }

  piece(bytes: Uint8Array, start: number, end: number, last: boolean): boolean {
    return this.requests.data(bytes, start, end, last) && !this.ended
  }

  whole(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#frame(bytes, start, end) && !this.ended
  }

  #frame(bytes: Uint8Array, start: number, end: number): boolean {
    switch (this.#type) {
      case FrameType.HEADERS:
        return this.requests.headers(bytes, start, end, this.#flags, this.#id)
      case FrameType.CONTINUATION:
        return this.requests.continuation(bytes, start, end, this.#flags, this.#id)
      case FrameType.WINDOW_UPDATE:
        return this.requests.windowUpdate(bytes, start, this.#id)
      case FrameType.RST_STREAM:
        return this.requests.reset(this.#id)
      default:
        return this.#peerControl.frame(this.#type, this.#flags, this.#id, bytes, start, end)
    }
  }

  openStream(id: number, head: CheckedHead, ended: boolean): void {
    const stream = new Stream(
      id,
      head,
      this,
      ended,
      this.#settings.initialWindow,
      this.#options.limits.streamWindow,
      head.contentLength,
    )
    this.streams.add(stream)
    stream.handler = this.#options.onStream(stream, !ended)
  }

  #localEnd(stream: Stream): void {
    // The peer need not send the rest of a body that nobody waits for (RFC 9113 §8.1).
    if (!stream.remoteEnded) this.control.reset(stream.id, ErrorCode.NO_ERROR)
    this.closeStream(stream, stream.remoteEnded ? Closed.BY_PEER : Closed.BY_US)
  }

  closeStream(stream: Stream, how: number): void {
    stream.closed = true
    this.streams.remove(stream, how)
    if (stream.queue !== null) this.#release(stream.queue.drop())
    if (this.draining === 2) this.touched()
  }

  /** Views on what is dropped may still be in the output. */
  #release(releases: readonly (() => void)[]): void {
    const later = this.output.flying || this.output.bytes > 0
    for (const release of releases) {
      if (later) this.output.onReleased(release)
      else release()
    }
  }

  streamError(stream: Stream, code: number): boolean {
    this.control.reset(stream.id, code)
    this.closeStream(stream, Closed.BY_US)
    this.touched()
    stream.handler.aborted()
    return !this.floods.reset() || this.fail(ErrorCode.ENHANCE_YOUR_CALM, 'too many resets')
  }

  resetStream(stream: Stream, code: number): void {
    this.control.reset(stream.id, code)
    this.closeStream(stream, Closed.BY_US)
    this.touched()
  }

  creditStream(stream: Stream, bytes: number): void {
    const room = MAX_31 - stream.receiveWindow - stream.unannounced
    stream.unannounced += Math.max(0, Math.min(bytes, room))
    if (stream.unannounced >= CREDIT_STEP || stream.unannounced > stream.receiveWindow) {
      this.announce(stream)
    }
  }

  announce(stream: Stream): void {
    if (stream.unannounced === 0 || stream.closed) return
    this.control.windowUpdate(stream.id, stream.unannounced)
    stream.receiveWindow += stream.unannounced
    stream.unannounced = 0
    this.touched()
  }

  /** There is something to send. */
  touched(): void {
    if (this.#reading || this.#dirty) return
    this.#dirty = true
    this.#options.turnEnd.add(this)
  }

  /** Sends what this turn made. */
  turn(): void {
    this.#dirty = false
    if (this.ended) return
    try {
      this.sender.pump()
      this.output.flush()
    } catch (error) {
      this.#broke(error)
    }
    if (this.output.controlBytes > MAX_QUEUED_CONTROL_BYTES) this.socket.destroy()
    else if (this.draining === 2 && this.streams.open.size === 0) this.end()
  }

  /** Asks the peer to open no more streams; those that are on their way are still served. Idempotent. */
  retire(): void {
    if (this.draining > 0 || this.ended) return
    this.draining = 1
    this.#drain.begin(this.streams.lastId)
    this.touched()
  }

  pingAnswered(bytes: Uint8Array, start: number): void {
    if (this.#drain.answered(bytes, start, this.streams.lastId)) this.lastGoaway()
  }

  /** From here on new streams are refused; the connection ends with its last stream. */
  lastGoaway(): void {
    if (this.draining === 2 || this.ended) return
    this.draining = 2
    this.#drain.end(this.streams.lastId)
    this.touched()
  }

  sendKeepalive(): void {
    this.control.ping(KEEPALIVE_PING, 0, false)
    this.touched()
  }

  fail(code: number, debug: string): false {
    if (this.ended) return false
    this.failed = true
    this.control.goaway(this.streams.lastId, code, debug)
    this.end()
    return false
  }

  /** Writes what waits in the output and closes. */
  end(): void {
    if (this.ended) return
    this.ended = true
    this.reader.stopped = true
    this.#abort()
    this.output.flush(true)
    this.socket.end()
  }

  #closed(): void {
    this.ended = true
    this.#abort()
    this.output.discard()
  }

  #abort(): void {
    for (const stream of [...this.streams.open.values()]) {
      this.closeStream(stream, Closed.BY_US)
      try {
        stream.handler.aborted()
      } catch (error) {
        this.#broke(error)
      }
    }
  }
}
