import { badModel } from './bad-model.ts'

/** Little-endian scalars and lists, one after another. Throws where the bytes end early. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #decoder = new TextDecoder()
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true)
  }

  f32(): number {
    return this.#view.getFloat32(this.#take(4), true)
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true)
  }

  /** An unsigned number of 8 bytes. */
  u64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true))
  }

  text(): string {
    return this.#decoder.decode(this.bytes(1))
  }

  /** A list of elements of `size` bytes each, with their number before them. */
  bytes(size: number): Uint8Array {
    const length = this.u64() * size
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** A copy of such a list, which begins where its elements can be read as numbers. */
  copy(size: number): ArrayBuffer {
    // slice() of a Buffer would be a view.
    return new Uint8Array(this.bytes(size)).buffer
  }

  skip(bytes: number): void {
    this.#take(bytes)
  }

  #take(bytes: number): number {
    const at = this.#at
    if (!(at + bytes <= this.#bytes.length)) throw badModel('the file ends early')
    this.#at += bytes
    return at
  }
}
