import type { ControlWriter } from './control-writer.ts'
import type { Floods } from './floods.ts'
import { Flag, FrameType, MAX_31, readU32 } from './frame.ts'
import { PayloadUse } from './frame-reader.ts'
import type { Keepalive } from './keepalive.ts'
import type { Sender } from './sender.ts'
import type { PeerSettings } from './settings.ts'
import type { Stream } from './stream.ts'
import type { StreamTable } from './stream-table.ts'
import { ErrorCode } from './types.ts'

/** What the peer's control frames act on. */
export interface PeerControlOwner {
  readonly streams: StreamTable
  readonly control: ControlWriter
  readonly sender: Sender
  readonly floods: Floods
  readonly keepalive: Keepalive
  /** Ends the connection with an `ErrorCode`; always false. */
  fail(code: number, debug: string): false
  streamError(stream: Stream, code: number): boolean
  /** A PING of ours came back as `bytes[start, start + 8)`. */
  pingAnswered(bytes: Uint8Array, start: number): void
}

/** The frames of a peer that are not about one request: SETTINGS, PING, PRIORITY, GOAWAY and unknown ones. */
export class PeerControl {
  settingsRead = false
  /** The peer acknowledged our SETTINGS. */
  settled = false
  readonly #owner: PeerControlOwner
  readonly #settings: PeerSettings

  constructor(owner: PeerControlOwner, settings: PeerSettings) {
    this.#owner = owner
    this.#settings = settings
  }

  /** A whole frame, whose payload is `bytes[start, end)`. False when it ended the connection. */
  frame(
    type: number,
    flags: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const ack = (flags & Flag.ACK) !== 0
    if (type === FrameType.PING) return this.#ping(ack, bytes, start)
    if (type === FrameType.SETTINGS) return this.#applySettings(ack, bytes, start, end)
    if (type === FrameType.PRIORITY && (readU32(bytes, start) & MAX_31) === id) {
      // A stream that depends on itself.
      return this.badPriority(id, ErrorCode.PROTOCOL_ERROR) === PayloadUse.SKIP
    }
    return this.idle()
  }

  /** A frame that is no progress; false when there were too many. */
  idle(): boolean {
    return (
      !this.#owner.floods.idle() || this.#owner.fail(ErrorCode.ENHANCE_YOUR_CALM, 'too many frames')
    )
  }

  /** A stream error, unless the stream is idle and cannot have one. */
  badPriority(id: number, code: number): number {
    if (id > this.#owner.streams.lastId) {
      this.#owner.fail(code, 'bad PRIORITY')
      return PayloadUse.STOP
    }
    const stream = this.#owner.streams.find(id)
    if (stream !== undefined) {
      return this.#owner.streamError(stream, code) ? PayloadUse.SKIP : PayloadUse.STOP
    }
    this.#owner.control.reset(id, code)
    return this.idle() ? PayloadUse.SKIP : PayloadUse.STOP
  }

  #ping(ack: boolean, bytes: Uint8Array, start: number): boolean {
    if (ack) {
      this.#owner.pingAnswered(bytes, start)
      return this.idle()
    }
    const { sent } = this.#owner.sender
    this.#owner.sender.sent = false
    if (this.#owner.keepalive.pinged(performance.now(), sent, this.#owner.streams.open.size > 0)) {
      return this.#owner.fail(ErrorCode.ENHANCE_YOUR_CALM, 'too_many_pings')
    }
    this.#owner.control.ping(bytes, start, true)
    return this.idle()
  }

  #applySettings(ack: boolean, bytes: Uint8Array, start: number, end: number): boolean {
    if (ack) {
      this.settled = true
      return this.idle()
    }
    this.settingsRead = true
    const before = this.#settings.initialWindow
    const code = this.#settings.apply(bytes, start, end)
    if (code !== ErrorCode.NO_ERROR) return this.#owner.fail(code, 'bad SETTINGS')
    const change = this.#settings.initialWindow - before
    if (change !== 0) {
      for (const stream of this.#owner.streams.open.values()) {
        stream.sendWindow += change
        if (stream.sendWindow > MAX_31) {
          return this.#owner.fail(ErrorCode.FLOW_CONTROL_ERROR, 'window overflow')
        }
        this.#owner.sender.list(stream)
      }
    }
    this.#owner.control.settingsAck()
    return this.idle()
  }
}
