/** A list of 32-bit words that doubles when it is full. */
export class GrowingWords {
  length = 0
  #words: Int32Array
  #floats: Float32Array

  constructor(capacity: number) {
    this.#words = new Int32Array(capacity)
    this.#floats = new Float32Array(this.#words.buffer)
  }

  /** Makes room for `count` words, zero, and says where they begin. */
  add(count: number): number {
    const at = this.length
    this.length += count
    if (this.length > this.#words.length) {
      const larger = new Int32Array(Math.max(this.length, this.#words.length * 2))
      larger.set(this.#words)
      this.#words = larger
      this.#floats = new Float32Array(larger.buffer)
    }
    return at
  }

  set(at: number, word: number): void {
    this.#words[at] = word
  }

  setFloat(at: number, value: number): void {
    this.#floats[at] = value
  }

  /** A copy of what was added. */
  words(): Int32Array {
    return this.#words.slice(0, this.length)
  }
}

/** A list of doubles that doubles when it is full. */
export class GrowingDoubles {
  length = 0
  #values: Float64Array

  constructor(capacity: number) {
    this.#values = new Float64Array(capacity)
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new Float64Array(this.length * 2)
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values[this.length++] = value
  }

  /** A copy of what was added. */
  values(): Float64Array {
    return this.#values.slice(0, this.length)
  }
}
