import type { JsonReader } from './json-reader.ts'

/** Triton's words for too few and for too many elements. */
export const WRONG_COUNT = "Shape does not match true shape of 'data' field"

/** Reads the scalars of one datatype; knows nothing of nesting. */
export interface ScalarSink {
  /** What the first wrong element was refused for; null = all were right. */
  error: string | null
  /**
   * Reads scalars parted by commas from the cursor on. Returns true when the last thing it consumed was a comma, so that
   * an array (or a mistake) is next; false when it stopped behind a scalar.
   */
  run(reader: JsonReader): boolean
  /** Little-endian bytes of everything read. Only valid while `error` is null. */
  finish(): Uint8Array
}

/** What the sinks of fixed-size datatypes share. */
export abstract class NumberSink {
  error: string | null = null
  protected at = 0
  protected readonly count: number
  readonly #out: ArrayBufferView

  constructor(out: ArrayBufferView, count: number) {
    this.#out = out
    this.count = count
  }

  protected refuse(reason: string): void {
    this.error ??= reason
  }

  finish(): Uint8Array {
    if (this.at !== this.count) this.refuse(WRONG_COUNT)
    const { buffer, byteOffset, byteLength } = this.#out
    return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength)
  }

  /** One element that {@link take} reads, for the datatypes and the texts that no fast path covers. */
  protected one(reader: JsonReader): void {
    const c = reader.peek()
    const container = c === 0x5b || c === 0x7b
    let value: unknown
    if (container) reader.skip()
    else value = reader.scalar(c)
    if (this.at >= this.count) this.refuse(WRONG_COUNT)
    else {
      const reason = this.take(value, this.at)
      if (reason !== null) this.refuse(reason)
      this.at++
    }
  }

  /** Stores `value` as element `index`, or says why not. */
  protected abstract take(value: unknown, index: number): string | null
}

/** After a scalar: consumes a comma and white space. 0 = no comma, 1 = a scalar follows, 2 = something else follows. */
export function separator(reader: JsonReader): 0 | 1 | 2 {
  if (reader.peek() !== 0x2c) return 0
  reader.pos++
  const c = reader.peek()
  return c === 0x5b || c === 0x5d || c === -1 ? 2 : 1
}
