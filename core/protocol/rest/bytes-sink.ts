import { TYPE_ERRORS } from './json-error.ts'
import type { JsonReader } from './json-reader.ts'
import { type ScalarSink, separator } from './scalar-sink.ts'

const FIRST_ROOM = 256
const LENGTH_BYTES = 4

/**
 * BYTES elements: `uint32 length, bytes` each, the bytes as they stand in the JSON text. How many there should be is
 * the model's check, because it is made for binary tensors as well.
 */
export class BytesSink implements ScalarSink {
  error: string | null = null
  #out: Uint8Array
  #view: DataView
  #at = 0

  constructor(textLeft: number) {
    this.#out = new Uint8Array(Math.min(FIRST_ROOM, textLeft * 2))
    this.#view = new DataView(this.#out.buffer)
  }

  run(reader: JsonReader): boolean {
    for (;;) {
      const c = reader.peek()
      if (c === 0x22) this.#append(reader.scanString())
      else {
        if (c === 0x5b || c === 0x7b) reader.skip()
        else reader.scalar(c)
        this.error ??= TYPE_ERRORS.string
      }
      const next = separator(reader)
      if (next !== 1) return next === 2
    }
  }

  #append(element: Uint8Array): void {
    const needed = this.#at + LENGTH_BYTES + element.length
    if (needed > this.#out.length) {
      const larger = new Uint8Array(Math.max(needed, this.#out.length * 2))
      larger.set(this.#out.subarray(0, this.#at))
      this.#out = larger
      this.#view = new DataView(larger.buffer)
    }
    this.#view.setUint32(this.#at, element.length, true)
    this.#out.set(element, this.#at + LENGTH_BYTES)
    this.#at = needed
  }

  finish(): Uint8Array {
    return this.#out.subarray(0, this.#at)
  }
}
