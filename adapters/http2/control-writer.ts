import { Flag, FRAME_HEADER_BYTES, FrameType, writeFrameHeader, writeU32 } from './frame.ts'
import type { Output } from './output.ts'

/** Puts control frames into the output, where they are counted: a peer that never reads must not make it grow. */
export class ControlWriter {
  readonly #output: Output

  constructor(output: Output) {
    this.#output = output
  }

  settingsAck(): void {
    this.#frame(0, FrameType.SETTINGS, Flag.ACK, 0)
  }

  /** `bytes[start, start + 8)` is the payload. */
  ping(bytes: Uint8Array, start: number, ack: boolean): void {
    const at = this.#frame(8, FrameType.PING, ack ? Flag.ACK : 0, 0)
    const slab = this.#output.slab as Uint8Array
    for (let i = 0; i < 8; i++) slab[at + i] = bytes[start + i] as number
  }

  /** An `ErrorCode`. */
  reset(id: number, code: number): void {
    const at = this.#frame(4, FrameType.RST_STREAM, 0, id)
    writeU32(this.#output.slab as Uint8Array, at, code)
  }

  windowUpdate(id: number, bytes: number): void {
    const at = this.#frame(4, FrameType.WINDOW_UPDATE, 0, id)
    writeU32(this.#output.slab as Uint8Array, at, bytes)
  }

  /** `debug` is ASCII that the peer may log. */
  goaway(lastId: number, code: number, debug: string): void {
    const at = this.#frame(8 + debug.length, FrameType.GOAWAY, 0, 0)
    const slab = this.#output.slab as Uint8Array
    writeU32(slab, at, lastId)
    writeU32(slab, at + 4, code)
    for (let i = 0; i < debug.length; i++) slab[at + 8 + i] = debug.charCodeAt(i)
  }

  #frame(length: number, type: number, flags: number, id: number): number {
    const output = this.#output
    const at = output.reserve(FRAME_HEADER_BYTES + length)
    output.controlBytes += FRAME_HEADER_BYTES + length
    return writeFrameHeader(output.slab as Uint8Array, at, length, type, flags, id)
  }
}
