import { Duplex } from 'node:stream'

/** A socket without a network: what is fed is read at once, what is written is looked at. */
export class FuzzSocket extends Duplex {
  readonly remoteAddress = '127.0.0.1'
  /** What the server wrote that is no frame it may send; '' = nothing. */
  fault = ''
  readonly #random: () => number
  #held: Buffer = Buffer.alloc(0)

  constructor(random: () => number) {
    super({ allowHalfOpen: true })
    this.#random = random
    this.on('error', () => {})
  }

  /** Gives the server `bytes` in pieces that end anywhere. */
  feed(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length && !this.destroyed) {
      const size = this.#random() < 0.5 ? bytes.length : 1 + Math.floor(this.#random() * 40)
      this.emit('data', bytes.subarray(at, at + size))
      at += size
    }
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.#look(chunk)
    // Now and then the network is slower.
    if (this.#random() < 0.9) done()
    else setImmediate(done)
  }

  override _final(done: () => void): void {
    done()
  }

  #look(chunk: Buffer): void {
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    while (bytes.length >= 9) {
      const length = bytes.readUIntBE(0, 3)
      const type = bytes[3] ?? 0
      // A peer may have allowed long frames, but no answer here is so long.
      if (length > 131_072 || type > 9 || type === 5) {
        this.fault ||= `a frame of type ${type} and ${length} bytes`
        return
      }
      if (bytes.length < 9 + length) break
      bytes = bytes.subarray(9 + length)
    }
    this.#held = Buffer.from(bytes)
  }
}
