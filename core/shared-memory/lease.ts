import type { BufferPool } from '../buffer-pool.ts'
import type { Gate } from '../overload/types.ts'
import { unknownRegion } from './errors.ts'
import type { Region } from './region.ts'
import type { RegionLease, RegionRef } from './types.ts'

/** What one request holds of one owner's regions. */
export class Lease implements RegionLease {
  /** By name; undefined where the owner has none. */
  readonly #regions: ReadonlyMap<string, Region> | undefined
  readonly #pool: BufferPool
  readonly #gate: Gate | undefined
  readonly #held: Region[] = []
  readonly #buffers: ArrayBuffer[] = []
  /** Sizes of the copies that were taken at the gate. */
  readonly #counted: number[] = []
  #closed = false

  constructor(
    regions: ReadonlyMap<string, Region> | undefined,
    pool: BufferPool,
    gate: Gate | undefined,
  ) {
    this.#regions = regions
    this.#pool = pool
    this.#gate = gate
  }

  input(ref: RegionRef): Uint8Array {
    const region = this.#hold(ref)
    if (region.mapped) return region.view(ref)
    this.#count(ref.byteSize)
    const buffer = this.#pool.take(ref.byteSize)
    this.#buffers.push(buffer)
    const data = new Uint8Array(buffer, 0, ref.byteSize)
    region.read(ref, data)
    return data
  }

  output(ref: RegionRef): void {
    this.#hold(ref)
  }

  write(output: string, ref: RegionRef, data: Uint8Array): void {
    const region = this.#closed ? undefined : this.#known(ref.region)
    if (region === undefined) throw unknownRegion(ref.region)
    region.write(output, ref, data)
  }

  close(answered = false): void {
    if (this.#closed) return
    this.#closed = true
    for (const region of this.#held) region.drop()
    if (answered) for (const buffer of this.#buffers) this.#pool.give(buffer)
    for (const bytes of this.#counted) this.#gate?.leave(bytes)
    this.#counted.length = 0
    this.#held.length = 0
    this.#buffers.length = 0
  }

  /** A few bytes of a request may name a region of any size, and as often as they like. */
  #count(bytes: number): void {
    if (this.#gate === undefined) return
    const refusal = this.#gate.enter(bytes)
    if (refusal !== null) throw refusal
    this.#counted.push(bytes)
  }

  #hold(ref: RegionRef): Region {
    let region = this.#known(ref.region)
    if (region === undefined) {
      region = this.#closed ? undefined : this.#regions?.get(ref.region)
      if (region === undefined) throw unknownRegion(ref.region)
      region.hold()
      this.#held.push(region)
    }
    region.check(ref)
    return region
  }

  /** A region that was unregistered meanwhile is still this request's: names are looked up once. */
  #known(name: string): Region | undefined {
    for (const region of this.#held) if (region.name === name) return region
    return undefined
  }
}
