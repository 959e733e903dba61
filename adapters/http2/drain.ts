import type { ControlWriter } from './control-writer.ts'
import { MAX_31 } from './frame.ts'
import { ErrorCode } from './types.ts'

/**
 * A client answers PINGs before it writes the headers of streams that it had named by then, so one answer does not say
 * that it will open no more.
 */
const MIN_PINGS = 2
/** Streams that keep coming do not keep the last GOAWAY back for ever. */
const MAX_PINGS = 8
const PAYLOAD = [0x64, 0x72, 0x61, 0x69, 0x6e, 0, 0] as const

/** The end of a connection in two GOAWAYs (RFC 9113 §6.8): "open no more streams", and, once none can be on its way, which was the last. */
export class Drain {
  readonly #control: ControlWriter
  /** The last octet of the PING that waits for its answer; 0 = none does. */
  #pings = 0
  #lastId = 0

  constructor(control: ControlWriter) {
    this.#control = control
  }

  /** `lastId` is the largest stream that the peer has opened. */
  begin(lastId: number): void {
    this.#control.goaway(MAX_31, ErrorCode.NO_ERROR, '')
    this.#ping(lastId)
  }

  /** The peer answered the PING with `bytes[start, start + 8)`. True: no stream is on its way any more. */
  answered(bytes: Uint8Array, start: number, lastId: number): boolean {
    if (this.#pings === 0 || bytes[start + PAYLOAD.length] !== this.#pings) return false
    for (let i = 0; i < PAYLOAD.length; i++) if (bytes[start + i] !== PAYLOAD[i]) return false
    const quiet = this.#pings >= MIN_PINGS && lastId === this.#lastId
    if (quiet || this.#pings === MAX_PINGS) return true
    this.#ping(lastId)
    return false
  }

  /** The second GOAWAY. */
  end(lastId: number): void {
    this.#pings = 0
    this.#control.goaway(lastId, ErrorCode.NO_ERROR, '')
  }

  #ping(lastId: number): void {
    this.#lastId = lastId
    this.#pings++
    this.#control.ping(Uint8Array.of(...PAYLOAD, this.#pings), 0, false)
  }
}
