/** Longest frame that is read, bytes: the files of a model that another one has loaded are in it. */
export const MAX_FRAME_BYTES: number = 64 * 1024 * 1024

const HEAD_BYTES = 4

/** `text` (JSON) as it travels: its length, and its bytes. */
export function frameOf(text: string): Buffer {
  const bytes = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(HEAD_BYTES + bytes)
  frame.writeUInt32LE(bytes, 0)
  frame.write(text, HEAD_BYTES, 'utf8')
  return frame
}

/** Puts frames together from what arrives, however it was cut. */
export class FrameReader {
  readonly #onFrame: (text: string) => void
  /** What has come of a frame that is not whole. */
  #parts: Buffer[] = []
  #bytes = 0

  constructor(onFrame: (text: string) => void) {
    this.#onFrame = onFrame
  }

  /** Throws for a frame that is too long; whatever `onFrame` throws passes. */
  push(chunk: Buffer): void {
    if (this.#bytes > 0) {
      this.#parts.push(chunk)
      this.#bytes += chunk.length
      if (this.#bytes < this.#needed()) return
    }
    let rest = this.#bytes > 0 ? Buffer.concat(this.#parts) : chunk
    this.#parts = []
    this.#bytes = 0
    let at = 0
    while (rest.length - at >= HEAD_BYTES) {
      const end = at + HEAD_BYTES + frameBytes(rest, at)
      if (end > rest.length) break
      this.#onFrame(rest.toString('utf8', at + HEAD_BYTES, end))
      at = end
    }
    if (at === rest.length) return
    rest = rest.subarray(at)
    this.#parts.push(rest)
    this.#bytes = rest.length
  }

  /** Bytes that have to be there before it is worth looking again. */
  #needed(): number {
    const first = this.#parts[0] as Buffer
    return first.length < HEAD_BYTES ? HEAD_BYTES : HEAD_BYTES + frameBytes(first, 0)
  }
}

function frameBytes(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32LE(at)
  if (length > MAX_FRAME_BYTES) throw new Error(`a frame of ${length} bytes is too long`)
  return length
}
