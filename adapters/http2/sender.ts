import type { Floods } from './floods.ts'
import {
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  INITIAL_WINDOW,
  MIN_MAX_FRAME,
  writeFrameHeader,
} from './frame.ts'
import type { Output } from './output.ts'
import { SendQueue } from './send-queue.ts'
import type { PeerSettings } from './settings.ts'
import type { Stream } from './stream.ts'
import type { HeaderBlock } from './types.ts'

/** Bodies up to this size are copied into the slab; larger ones are sent from where they are. */
export const COPIED_BODY_BYTES: number = 16 * 1024
/** In a queue pieces up to this size are copied, which is cheaper than one more entry of a `writev`. */
const COPIED_PIECE_BYTES = 4 * 1024
/** Frames that we send are no longer, so that streams take turns. */
const MAX_SENT_FRAME = 64 * 1024
/** HPACK: the dynamic table has no room (RFC 7541 §6.3). */
const EMPTY_TABLE = 0x20

/** The send half of a connection: what may go now goes to the output, the rest waits with its stream. */
export class Sender {
  /** The connection's send window. */
  window: number = INITIAL_WINDOW
  /** HEADERS or DATA went out since this was last set to false. */
  sent = false
  readonly #output: Output
  readonly #settings: PeerSettings
  readonly #floods: Floods
  readonly #highWater: number
  readonly #onLocalEnd: (stream: Stream) => void
  #tableUpdated = false
  /** Streams that can go on once the output or the connection's window lets them. */
  #first: Stream | null = null
  #last: Stream | null = null
  #listed = 0

  constructor(
    output: Output,
    settings: PeerSettings,
    floods: Floods,
    highWater: number,
    onLocalEnd: (stream: Stream) => void,
  ) {
    this.#output = output
    this.#settings = settings
    this.#floods = floods
    this.#highWater = highWater
    this.#onLocalEnd = onLocalEnd
  }

  headers(stream: Stream, block: HeaderBlock, end: boolean): void {
    if (this.#output.open && stream.drained) {
      this.writeHeaders(stream.id, block, end)
      if (end) this.#end(stream)
      return
    }
    const queue = this.#queue(stream)
    queue.head = block
    queue.headEnds = end
    this.list(stream)
  }

  /** False when more than the high-water mark waits. */
  data(stream: Stream, bytes: Uint8Array, release: (() => void) | undefined): boolean {
    const { length } = bytes
    if (length > 0) this.#floods.message()
    if (length === 0 || (stream.queue !== null && stream.queue.trailers !== null)) {
      release?.()
    } else if (length <= COPIED_BODY_BYTES && this.#fits(stream, length)) {
      this.#copyData(stream, bytes)
      release?.()
    } else {
      this.#queue(stream).push(bytes, release)
      this.list(stream)
    }
    if (stream.unsent <= this.#highWater) return true
    stream.wantsWritable = true
    return false
  }

  trailers(stream: Stream, block: HeaderBlock): void {
    if (this.#output.open && stream.drained) {
      this.#writeTrailers(stream, block)
      return
    }
    this.#queue(stream).trailers = block
    this.list(stream)
  }

  answer(
    stream: Stream,
    head: HeaderBlock,
    body: readonly Uint8Array[],
    trailers: HeaderBlock,
    release: (() => void) | undefined,
  ): void {
    let length = 0
    for (let i = 0; i < body.length; i++) length += (body[i] as Uint8Array).length
    if (length > 0) this.#floods.message()
    if (length <= COPIED_BODY_BYTES && this.#fits(stream, length)) {
      this.writeHeaders(stream.id, head, false)
      if (length > 0) {
        const output = this.#output
        const at = output.reserve(FRAME_HEADER_BYTES + length)
        const slab = output.slab as Uint8Array
        let to = writeFrameHeader(slab, at, length, FrameType.DATA, 0, stream.id)
        for (let i = 0; i < body.length; i++) {
          const part = body[i] as Uint8Array
          slab.set(part, to)
          to += part.length
        }
        this.#account(stream, length)
      }
      release?.()
      this.#writeTrailers(stream, trailers)
      return
    }
    const queue = this.#queue(stream)
    queue.head = head
    let left = length
    for (const part of body) {
      if (part.length === 0) continue
      left -= part.length
      queue.push(part, left === 0 ? release : undefined)
    }
    if (length === 0) release?.()
    queue.trailers = trailers
    this.list(stream)
  }

  /** Writes what may go now of what waits. Streams take turns, a frame each. */
  pump(): void {
    const output = this.#output
    let stuck = 0
    while (this.#listed > stuck) {
      if (!output.open) {
        output.flush()
        if (!output.open) return
      }
      const stream = this.#shift()
      if (stream.closed) continue
      const moved = this.#advance(stream)
      if (moved) stuck = 0
      if (stream.closed) continue
      // What waits for its own window is listed again when that grows.
      if (!stream.drained && (stream.sendWindow > 0 || stream.unsent === 0)) {
        this.list(stream)
        if (!moved) stuck++
      }
      if (stream.wantsWritable && stream.unsent <= this.#highWater) {
        stream.wantsWritable = false
        stream.handler.writable?.()
      }
    }
  }

  /** `stream` may have become able to go on. */
  list(stream: Stream): void {
    if (stream.listed || stream.closed || stream.drained) return
    stream.listed = true
    stream.next = null
    if (this.#last === null) this.#first = stream
    else this.#last.next = stream
    this.#last = stream
    this.#listed++
  }

  /** HEADERS, with CONTINUATION where the block is longer than a frame. */
  writeHeaders(id: number, block: HeaderBlock, end: boolean): void {
    const { encoded } = block
    const output = this.#output
    this.sent = true
    const prefix = this.#settings.tableShrunk && !this.#tableUpdated ? 1 : 0
    const length = encoded.length + prefix
    const flags = end ? Flag.END_STREAM : 0
    if (length <= MIN_MAX_FRAME) {
      const at = output.reserve(FRAME_HEADER_BYTES + length)
      const slab = output.slab as Uint8Array
      const to = writeFrameHeader(slab, at, length, FrameType.HEADERS, flags | Flag.END_HEADERS, id)
      if (prefix > 0) slab[to] = EMPTY_TABLE
      slab.set(encoded, to + prefix)
    } else {
      this.#writeLongHeaders(id, encoded, prefix, flags)
    }
    if (prefix > 0) this.#tableUpdated = true
  }

  #writeLongHeaders(id: number, encoded: Uint8Array, prefix: number, flags: number): void {
    const output = this.#output
    let type: number = FrameType.HEADERS
    for (let from = 0, extra = prefix; from < encoded.length; extra = 0) {
      const piece = encoded.subarray(from, from + MIN_MAX_FRAME - extra)
      from += piece.length
      const endHeaders = from === encoded.length ? Flag.END_HEADERS : 0
      const at = output.reserve(FRAME_HEADER_BYTES + extra + piece.length)
      const slab = output.slab as Uint8Array
      const own = type === FrameType.HEADERS ? flags : 0
      const to = writeFrameHeader(slab, at, extra + piece.length, type, own | endHeaders, id)
      if (extra > 0) slab[to] = EMPTY_TABLE
      slab.set(piece, to + extra)
      type = FrameType.CONTINUATION
    }
  }

  #fits(stream: Stream, length: number): boolean {
    return (
      this.#output.open && length <= stream.sendWindow && length <= this.window && stream.drained
    )
  }

  #account(stream: Stream, length: number): void {
    stream.sendWindow -= length
    stream.sent += length
    this.window -= length
    this.sent = true
    this.#floods.moved(length)
  }

  /** One frame: every peer takes `COPIED_BODY_BYTES`. */
  #copyData(stream: Stream, bytes: Uint8Array): void {
    const at = this.#output.reserve(FRAME_HEADER_BYTES + bytes.length)
    const slab = this.#output.slab as Uint8Array
    slab.set(bytes, writeFrameHeader(slab, at, bytes.length, FrameType.DATA, 0, stream.id))
    this.#account(stream, bytes.length)
  }

  /** Without a field it is no block at all but the end of the body. */
  #writeTrailers(stream: Stream, block: HeaderBlock): void {
    if (block.fields.length > 0) this.writeHeaders(stream.id, block, true)
    else {
      const at = this.#output.reserve(FRAME_HEADER_BYTES)
      const slab = this.#output.slab as Uint8Array
      writeFrameHeader(slab, at, 0, FrameType.DATA, Flag.END_STREAM, stream.id)
    }
    this.#end(stream)
  }

  #end(stream: Stream): void {
    stream.localEnded = true
    this.#onLocalEnd(stream)
  }

  #queue(stream: Stream): SendQueue {
    stream.queue ??= new SendQueue()
    return stream.queue
  }

  #shift(): Stream {
    const stream = this.#first as Stream
    this.#first = stream.next
    if (this.#first === null) this.#last = null
    stream.next = null
    stream.listed = false
    this.#listed--
    return stream
  }

  /** Sends headers, at most one DATA frame and trailers of `stream`; false when nothing could go. */
  #advance(stream: Stream): boolean {
    const queue = stream.queue as SendQueue
    let moved = false
    if (queue.head !== null) {
      this.writeHeaders(stream.id, queue.head, queue.headEnds)
      queue.head = null
      moved = true
      if (queue.headEnds) {
        this.#end(stream)
        return true
      }
    }
    if (queue.bytes > 0) {
      const length = Math.min(
        queue.bytes,
        stream.sendWindow,
        this.window,
        this.#settings.maxFrame,
        MAX_SENT_FRAME,
      )
      if (length <= 0) return moved
      this.#writeQueued(stream, queue, length)
      moved = true
    }
    if (queue.bytes === 0 && queue.trailers !== null) {
      const { trailers } = queue
      queue.trailers = null
      this.#writeTrailers(stream, trailers)
      moved = true
    }
    return moved
  }

  #writeQueued(stream: Stream, queue: SendQueue, length: number): void {
    const output = this.#output
    const at = output.reserve(FRAME_HEADER_BYTES)
    writeFrameHeader(output.slab as Uint8Array, at, length, FrameType.DATA, 0, stream.id)
    for (let left = length; left > 0; ) {
      const piece = queue.peek(left)
      left -= piece.length
      if (piece.length <= COPIED_PIECE_BYTES) {
        const to = output.reserve(piece.length)
        ;(output.slab as Uint8Array).set(piece, to)
      } else {
        output.view(piece)
      }
      const release = queue.take(piece.length)
      if (release !== undefined) output.onReleased(release)
    }
    this.#account(stream, length)
  }
}
