import type { Pointer } from './functions.ts'
import { allocate, type Memory } from './memory.ts'

const HIGH = 2 ** 32

/** A C array of pointers, `void *table[length]`, that JavaScript fills and reads without BigInts. */
export class PointerTable {
  readonly length: number
  readonly #memory: Memory
  /** Low and high half of each pointer (little-endian platforms, as everywhere in this tree). */
  readonly #halves: Uint32Array

  constructor(length: number) {
    this.length = length
    this.#memory = allocate(length * 8)
    const { buffer, byteOffset } = this.#memory.bytes
    this.#halves = new Uint32Array(buffer, byteOffset, Math.max(2, length * 2)).fill(0)
  }

  get address(): Pointer {
    return this.#memory.address
  }

  get(index: number): Pointer {
    const low = this.#halves[index * 2] as number
    return (this.#halves[index * 2 + 1] as number) * HIGH + low
  }

  set(index: number, pointer: Pointer): void {
    this.#halves[index * 2] = pointer % HIGH
    this.#halves[index * 2 + 1] = pointer / HIGH
  }
}
