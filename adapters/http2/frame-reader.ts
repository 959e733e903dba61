import { FRAME_HEADER_BYTES, readU32 } from './frame.ts'

/** What becomes of a frame's payload. */
export const PayloadUse = {
  /** Passed over, never stored. */
  SKIP: 0,
  /** Delivered whole; collected first when it spans chunks. */
  WHOLE: 1,
  /** Delivered as it arrives. */
  PIECES: 2,
  /** Nothing more is read. */
  STOP: 3,
} as const

export interface FrameSink {
  /** A frame's header came; decides on its payload (a `PayloadUse`). It must bound `length` before it says WHOLE. */
  begin(length: number, type: number, flags: number, id: number): number
  /** The payload is `bytes[start, end)`. False stops the reader. */
  whole(bytes: Uint8Array, start: number, end: number): boolean
  /** The next part of the payload is `bytes[start, end)`, `last` with its end. False stops the reader. */
  piece(bytes: Uint8Array, start: number, end: number, last: boolean): boolean
}

const NOTHING = new Uint8Array(0)

/** Finds frames in the chunks of a byte stream. A payload that lies within one chunk is not copied. */
export class FrameReader {
  stopped = false
  readonly #sink: FrameSink
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES)
  #headerFill = 0
  #use: number = PayloadUse.SKIP
  /** Octets of the payload that are still to come. */
  #left = 0
  #inPayload = false
  #collected: Uint8Array = NOTHING
  #collectedFill = 0

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** A frame has begun whose end has not come and which is not delivered in pieces. */
  get waiting(): boolean {
    return this.#headerFill > 0 || (this.#inPayload && this.#use !== PayloadUse.PIECES)
  }

  /** Reads from `bytes[at]` on. The sink may keep views on `bytes`. */
  push(bytes: Uint8Array, at: number): void {
    const end = bytes.length
    let next = this.#inPayload && at < end ? this.#payload(bytes, at, end) : at
    while (next < end && !this.stopped) {
      if (this.#headerFill === 0 && end - next >= FRAME_HEADER_BYTES) {
        this.#begin(bytes, next)
        next += FRAME_HEADER_BYTES
      } else {
        next = this.#splitHeader(bytes, next, end)
        if (this.#headerFill > 0) return
      }
      if (this.stopped) return
      next = this.#payload(bytes, next, end)
    }
  }

  #splitHeader(bytes: Uint8Array, at: number, end: number): number {
    let next = at
    while (next < end && this.#headerFill < FRAME_HEADER_BYTES)
      this.#header[this.#headerFill++] = bytes[next++] as number
    if (this.#headerFill === FRAME_HEADER_BYTES) {
      this.#headerFill = 0
      this.#begin(this.#header, 0)
    }
    return next
  }

  #begin(bytes: Uint8Array, at: number): void {
    const length =
      ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
    this.#left = length
    this.#inPayload = true
    this.#use = this.#sink.begin(
      length,
      bytes[at + 3] as number,
      bytes[at + 4] as number,
      readU32(bytes, at + 5) & 0x7fffffff,
    )
    if (this.#use === PayloadUse.STOP) this.stopped = true
  }

  #payload(bytes: Uint8Array, at: number, end: number): number {
    const take = Math.min(this.#left, end - at)
    const stop = at + take
    this.#left -= take
    const last = this.#left === 0
    if (last) this.#inPayload = false
    if (this.#use === PayloadUse.PIECES) {
      if ((take > 0 || last) && !this.#sink.piece(bytes, at, stop, last)) this.stopped = true
    } else if (this.#use === PayloadUse.WHOLE) {
      if (this.#collectedFill === 0 && last) {
        if (!this.#sink.whole(bytes, at, stop)) this.stopped = true
      } else this.#collect(bytes, at, stop, last)
    }
    return stop
  }

  #collect(bytes: Uint8Array, at: number, stop: number, last: boolean): void {
    if (stop > at) {
      if (this.#collectedFill === 0) this.#collected = new Uint8Array(stop - at + this.#left)
      this.#collected.set(bytes.subarray(at, stop), this.#collectedFill)
      this.#collectedFill += stop - at
    }
    if (!last) return
    const collected = this.#collected
    this.#collected = NOTHING
    this.#collectedFill = 0
    if (!this.#sink.whole(collected, 0, collected.length)) this.stopped = true
  }
}
