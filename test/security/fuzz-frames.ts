import { headerBlock } from '../../adapters/http2/hpack/encoder.ts'
import { Flag, Frame, frame, PREFACE, settings, uint32 } from '../helpers/raw-http2.ts'

const request = (...more: string[]) =>
  headerBlock([':method', 'POST', ':scheme', 'http', ':path', '/', ':authority', 'a', ...more])
    .encoded
const BLOCKS: readonly Uint8Array[] = [
  request(),
  request('content-length', '10'),
  request('te', 'trailers', 'x-long', 'v'.repeat(300)),
  headerBlock([':method', 'GET']).encoded,
  headerBlock(['x-trailer', '1']).encoded,
  // An insertion into the table, and a use of it.
  Buffer.concat([request(), Buffer.from('400161' + '0162', 'hex')]),
  Buffer.concat([request(), Buffer.from('be', 'hex')]),
]

/** Sequences of frames of which most are right, and then some bytes are not. */
export class FrameFuzz {
  readonly #random: () => number
  /** The newest stream of the connection. */
  #newest = -1
  /** Most connections send what is allowed nearly always, so that they live long enough to get into a state. */
  #tame = false

  constructor(random: () => number) {
    this.#random = random
  }

  /** What a connection begins with. */
  begin(): Buffer {
    this.#newest = -1
    this.#tame = this.#random() < 0.8
    const first = frame(Frame.SETTINGS, 0, 0, settings())
    return Buffer.concat([PREFACE, first, frame(Frame.SETTINGS, Flag.ACK, 0)])
  }

  sequence(): Buffer {
    const frames: Buffer[] = []
    for (let left = 1 + this.#below(6); left > 0; left--) frames.push(this.#frame())
    const how = this.#tame && this.#random() < 0.95 ? 0.5 : this.#random()
    if (how < 0.1) frames.splice(this.#below(frames.length), 1)
    else if (how < 0.2) frames.push(frames[this.#below(frames.length)] ?? PREFACE)
    else if (how < 0.3) frames.reverse()
    let bytes = Buffer.concat(frames)
    if (how > 0.6 && bytes.length > 0) {
      for (let left = this.#below(3); left > 0; left--) {
        const at = this.#below(bytes.length)
        const kind = this.#below(3)
        if (kind === 0) bytes[at] = this.#below(256)
        else if (kind === 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#below(8))
        else bytes = bytes.subarray(0, at + 1)
      }
    }
    return bytes
  }

  #frame(): Buffer {
    const kind = this.#random() * (this.#tame ? 0.88 : 1)
    if (kind < 0.35) return this.#headers()
    const id = this.#known()
    if (kind < 0.6) {
      const padded = this.#random() < 0.2 ? Flag.PADDED : 0
      const flags = padded | (this.#random() < 0.3 ? Flag.END_STREAM : 0)
      return frame(Frame.DATA, flags, id, Buffer.alloc(this.#below(60), 3))
    }
    if (kind < 0.67) return frame(Frame.RST_STREAM, 0, id, uint32(this.#below(14)))
    if (kind < 0.74)
      return frame(Frame.WINDOW_UPDATE, 0, this.#random() < 0.5 ? 0 : id, uint32(this.#number()))
    if (kind < 0.8)
      return frame(
        Frame.SETTINGS,
        0,
        0,
        settings([this.#tame ? 4 : 1 + this.#below(7), this.#number()]),
      )
    if (kind < 0.84) return frame(Frame.PING, this.#below(2), 0, Buffer.alloc(8, 1))
    if (kind < 0.88) return frame(Frame.PRIORITY, 0, id, Buffer.alloc(5, this.#below(4)))
    if (kind < 0.92) return frame(Frame.CONTINUATION, this.#below(8), id, this.#block())
    if (kind < 0.95) return frame(Frame.GOAWAY, 0, 0, Buffer.alloc(8 + this.#below(10)))
    if (kind < 0.96) return frame(Frame.PUSH_PROMISE, Flag.END_HEADERS, id, Buffer.alloc(4))
    return frame(
      this.#below(256),
      this.#below(256),
      this.#below(10),
      Buffer.alloc(this.#below(30), 1),
    )
  }

  #headers(): Buffer {
    const fresh = this.#tame || this.#random() < 0.8
    if (fresh) this.#newest += 2
    const id = fresh ? this.#newest : this.#known()
    const end = this.#random() < 0.4 ? Flag.END_STREAM : 0
    const block = this.#block()
    if (this.#random() < 0.85) return frame(Frame.HEADERS, end | Flag.END_HEADERS, id, block)
    const cut = this.#below(block.length)
    return Buffer.concat([
      frame(Frame.HEADERS, end, id, block.subarray(0, cut)),
      frame(Frame.CONTINUATION, Flag.END_HEADERS, id, block.subarray(cut)),
    ])
  }

  #block(): Uint8Array {
    // Mostly what a request may say.
    const at = this.#tame || this.#random() < 0.7 ? this.#below(3) : this.#below(BLOCKS.length)
    return BLOCKS[at] ?? request()
  }

  #known(): number {
    return Math.max(1, this.#newest - 2 * this.#below(4))
  }

  #number(): number {
    if (this.#tame) return 1 + this.#below(5_000)
    const bits = this.#below(32)
    return this.#random() < 0.5 ? 2 ** bits : this.#below(2 ** bits)
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }
}
