import { Closed } from './closed-streams.ts'
import type { ControlWriter } from './control-writer.ts'
import type { Floods } from './floods.ts'
import { Flag, MAX_31, readU32 } from './frame.ts'
import { PayloadUse } from './frame-reader.ts'
import { HeaderAssembly } from './header-assembly.ts'
import { type HeaderList, HpackDecoder, HpackError } from './hpack/decoder.ts'
import { headerBlock } from './hpack/encoder.ts'
import { HEADER_TABLE_BYTES } from './limits.ts'
import { type CheckedHead, MALFORMED, requestHead, trailersAllowed } from './request-head.ts'
import type { Sender } from './sender.ts'
import type { Stream } from './stream.ts'
import type { StreamTable } from './stream-table.ts'
import { ErrorCode, type HeaderBlock, type Http2Limits } from './types.ts'

/** What requests need of their connection. */
export interface RequestsOwner {
  readonly streams: StreamTable
  readonly control: ControlWriter
  readonly sender: Sender
  readonly floods: Floods
  /** SETTINGS were acknowledged: the peer knows how many streams it may open. */
  readonly settled: boolean
  /** New streams are refused. */
  readonly retired: boolean
  /** Ends the connection with an `ErrorCode`; always false. */
  fail(code: number, debug: string): false
  openStream(id: number, head: CheckedHead, ended: boolean): void
  closeStream(stream: Stream, how: number): void
  /** RST_STREAM by our decision on a fault of the peer; false when there were too many. */
  streamError(stream: Stream, code: number): boolean
  announce(stream: Stream): void
}

const TOO_LARGE: HeaderBlock = headerBlock([':status', '431', 'content-length', '0'])
const NOTHING = new Uint8Array(0)
const TOO_MANY_RESETS = 'too many resets'

/** The receive half of a connection's streams: header blocks, bodies, resets and windows. */
export class Requests {
  readonly blocks: HeaderAssembly
  readonly #owner: RequestsOwner
  readonly #limits: Http2Limits
  readonly #decoder: HpackDecoder
  /** What the peer may still send on the connection. */
  #window: number
  #unannounced = 0
  /** The DATA frame that is being read; no stream = its octets are dropped. */
  #body: Stream | undefined
  #bodyLeft = 0
  /** Octets of padding at its end; -1 = the octet that says how many has not come. */
  #padding = 0
  #bodyEnds = false

  constructor(owner: RequestsOwner, limits: Http2Limits) {
    this.#owner = owner
    this.#limits = limits
    this.#window = limits.connectionWindow
    this.blocks = new HeaderAssembly(limits.maxHeaderListBytes)
    this.#decoder = new HpackDecoder({
      maxTableBytes: HEADER_TABLE_BYTES,
      maxListBytes: limits.maxHeaderListBytes,
      maxFields: limits.maxHeaderFields,
    })
  }

  /** A DATA frame began. Returns a `PayloadUse`. */
  beginData(length: number, flags: number, id: number): number {
    const owner = this.#owner
    if ((id & 1) === 0 || id > owner.streams.lastId) {
      owner.fail(ErrorCode.PROTOCOL_ERROR, 'DATA on an idle stream')
      return PayloadUse.STOP
    }
    if (!this.#takeWindow(length)) return PayloadUse.STOP
    const padded = (flags & Flag.PADDED) !== 0
    if (padded && length === 0) {
      owner.fail(ErrorCode.FRAME_SIZE_ERROR, 'padding without its length')
      return PayloadUse.STOP
    }
    const stream = owner.streams.find(id)
    if (stream === undefined) return this.#lateData(id)
    if (stream.remoteEnded || length > stream.receiveWindow) {
      const code = stream.remoteEnded ? ErrorCode.STREAM_CLOSED : ErrorCode.FLOW_CONTROL_ERROR
      return owner.streamError(stream, code) ? PayloadUse.SKIP : PayloadUse.STOP
    }
    stream.receiveWindow -= length
    if (stream.unannounced > stream.receiveWindow) owner.announce(stream)
    this.#body = stream
    this.#bodyLeft = length
    this.#padding = padded ? -1 : 0
    this.#bodyEnds = (flags & Flag.END_STREAM) !== 0
    if (length > 0) owner.floods.moved(length)
    else if (!this.#bodyEnds && owner.floods.idle()) {
      owner.fail(ErrorCode.ENHANCE_YOUR_CALM, 'too many empty frames')
      return PayloadUse.STOP
    }
    return PayloadUse.PIECES
  }

  /** The next octets of that frame. */
  data(bytes: Uint8Array, start: number, end: number, last: boolean): boolean {
    const stream = this.#body as Stream
    let from = start
    if (this.#padding < 0 && from < end) {
      this.#padding = bytes[from++] as number
      this.#bodyLeft -= 1 + this.#padding
      if (this.#bodyLeft < 0) return this.#owner.fail(ErrorCode.PROTOCOL_ERROR, 'too much padding')
      // Padding is no progress of the stream.
      this.#owner.floods.moved(-1 - this.#padding)
      if (this.#bodyLeft === 0 && !this.#bodyEnds && this.#owner.floods.idle()) {
        return this.#owner.fail(ErrorCode.ENHANCE_YOUR_CALM, 'too many empty frames')
      }
      if (!stream.closed && !stream.remoteEnded) {
        // The application never sees these octets, so it cannot give credit for them.
        stream.credit(1 + this.#padding)
      }
    }
    const length = Math.min(end - from, this.#bodyLeft)
    this.#bodyLeft -= length
    if (stream.closed) return true
    stream.received += length
    const ends = last && this.#bodyEnds
    if (stream.expected >= 0 && !this.#lengthHolds(stream, ends)) {
      return this.#owner.streamError(stream, ErrorCode.PROTOCOL_ERROR)
    }
    if (length === 0 && !ends) return true
    if (ends) stream.remoteEnded = true
    stream.handler.data(
      length === 0 ? NOTHING : new Uint8Array(bytes.buffer, bytes.byteOffset + from, length),
      ends,
    )
    return true
  }

  /** A HEADERS frame. */
  headers(bytes: Uint8Array, start: number, end: number, flags: number, id: number): boolean {
    const piece = this.blocks.begin(bytes, start, end, flags, id)
    if (piece === null) return this.#owner.fail(ErrorCode.PROTOCOL_ERROR, 'too much padding')
    if ((flags & Flag.END_HEADERS) !== 0) return this.#block(piece, id)
    this.blocks.add(piece, id)
    return true
  }

  continuation(bytes: Uint8Array, start: number, end: number, flags: number, id: number): boolean {
    this.blocks.add(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start), id)
    return (flags & Flag.END_HEADERS) === 0 || this.#block(this.blocks.join(), id)
  }

  reset(id: number): boolean {
    const owner = this.#owner
    if (id === 0 || id > owner.streams.lastId || (id & 1) === 0) {
      return owner.fail(ErrorCode.PROTOCOL_ERROR, 'RST_STREAM on an idle stream')
    }
    const stream = owner.streams.find(id)
    if (stream === undefined) return this.#calm(owner.floods.idle(), 'too many frames')
    owner.closeStream(stream, Closed.BY_PEER)
    stream.handler.aborted()
    return this.#calm(owner.floods.reset(), TOO_MANY_RESETS)
  }

  windowUpdate(bytes: Uint8Array, start: number, id: number): boolean {
    const owner = this.#owner
    if (owner.floods.idle()) return this.#calm(true, 'too many frames')
    const more = readU32(bytes, start) & MAX_31
    if (id > owner.streams.lastId || (id !== 0 && (id & 1) === 0)) {
      return owner.fail(ErrorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE on an idle stream')
    }
    if (id === 0) {
      if (more === 0) return owner.fail(ErrorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE of 0')
      owner.sender.window += more
      return (
        owner.sender.window <= MAX_31 || owner.fail(ErrorCode.FLOW_CONTROL_ERROR, 'window overflow')
      )
    }
    const stream = owner.streams.find(id)
    if (stream === undefined) return true
    if (more === 0) return owner.streamError(stream, ErrorCode.PROTOCOL_ERROR)
    stream.sendWindow += more
    if (stream.sendWindow > MAX_31) return owner.streamError(stream, ErrorCode.FLOW_CONTROL_ERROR)
    owner.sender.list(stream)
    return true
  }

  #calm(tooMany: boolean, why: string): boolean {
    return !tooMany || this.#owner.fail(ErrorCode.ENHANCE_YOUR_CALM, why)
  }

  /** Accounts for a DATA frame on the connection, whose window follows by itself. */
  #takeWindow(length: number): boolean {
    this.#window -= length
    if (this.#window < 0) return this.#owner.fail(ErrorCode.FLOW_CONTROL_ERROR, 'window exceeded')
    this.#unannounced += length
    if (this.#unannounced * 2 >= this.#limits.connectionWindow) {
      this.#owner.control.windowUpdate(0, this.#unannounced)
      this.#window += this.#unannounced
      this.#unannounced = 0
    }
    return true
  }

  /** DATA for a stream that is closed. */
  #lateData(id: number): number {
    const owner = this.#owner
    if (owner.streams.closed.get(id) === Closed.BY_US) {
      if (this.#calm(owner.floods.idle(), 'too many frames')) return PayloadUse.SKIP
      return PayloadUse.STOP
    }
    owner.control.reset(id, ErrorCode.STREAM_CLOSED)
    return this.#calm(owner.floods.reset(), TOO_MANY_RESETS) ? PayloadUse.SKIP : PayloadUse.STOP
  }

  #lengthHolds(stream: Stream, ends: boolean): boolean {
    return ends ? stream.received === stream.expected : stream.received <= stream.expected
  }

  #block(block: Uint8Array, id: number): boolean {
    const owner = this.#owner
    let list: HeaderList
    try {
      list = this.#decoder.decode(block)
    } catch (error) {
      if (!(error instanceof HpackError)) throw error
      return owner.fail(ErrorCode.COMPRESSION_ERROR, 'bad header block')
    }
    if (id > owner.streams.lastId) return this.#request(list, id)
    const stream = owner.streams.find(id)
    if (stream !== undefined) return this.#trailers(list, stream)
    const how = owner.streams.closed.get(id)
    if (how === Closed.BY_US) return this.#calm(owner.floods.idle(), 'too many frames')
    if (how === Closed.BY_PEER) return owner.fail(ErrorCode.STREAM_CLOSED, 'the stream is closed')
    return owner.fail(ErrorCode.PROTOCOL_ERROR, 'stream identifiers must grow')
  }

  #request(list: HeaderList, id: number): boolean {
    const owner = this.#owner
    const ended = this.blocks.endStream
    owner.streams.lastId = id
    if (owner.retired || owner.streams.open.size >= this.#limits.maxConcurrentStreams) {
      this.#refuse(id, ErrorCode.REFUSED_STREAM)
      return this.#calm(owner.settled && !owner.retired && owner.floods.reset(), TOO_MANY_RESETS)
    }
    if (list.tooLarge) {
      owner.sender.writeHeaders(id, TOO_LARGE, true)
      if (ended) owner.streams.closed.add(id, Closed.BY_PEER)
      else this.#refuse(id, ErrorCode.NO_ERROR)
      return this.#calm(owner.floods.reset(), TOO_MANY_RESETS)
    }
    const head = requestHead(list)
    if (head === MALFORMED || this.blocks.dependsOnItself || (ended && head.contentLength > 0)) {
      this.#refuse(id, ErrorCode.PROTOCOL_ERROR)
      return this.#calm(owner.floods.reset(), TOO_MANY_RESETS)
    }
    owner.floods.opened()
    owner.openStream(id, head, ended)
    return true
  }

  #refuse(id: number, code: number): void {
    this.#owner.control.reset(id, code)
    this.#owner.streams.closed.add(id, Closed.BY_US)
  }

  /** A second header block ends the body; its fields concern nobody here. */
  #trailers(list: HeaderList, stream: Stream): boolean {
    const owner = this.#owner
    if (stream.remoteEnded) return owner.streamError(stream, ErrorCode.STREAM_CLOSED)
    if (
      !this.blocks.endStream ||
      !trailersAllowed(list) ||
      (stream.expected >= 0 && !this.#lengthHolds(stream, true))
    ) {
      return owner.streamError(stream, ErrorCode.PROTOCOL_ERROR)
    }
    stream.remoteEnded = true
    stream.handler.data(NOTHING, true)
    return true
  }
}
