import { invalidEnd, invalidOffset, outputTooLarge, truncated } from './errors.ts'
import type { RegionRef, SharedMemoryFile } from './types.ts'

/** Larger regions are not mapped as one view, but copied as if clients were not trusted. */
export const MAX_MAPPED_BYTES: number = 2 ** 32

/** A registered region: an open file, held by the registry and by each lease that uses it. */
export class Region {
  readonly name: string
  readonly key: string
  readonly offset: number
  readonly byteSize: number
  /** The GPU it is on; null = it is system memory. */
  readonly deviceId: number | null
  readonly #file: SharedMemoryFile
  /** The whole region, where clients are trusted. */
  readonly #view: Uint8Array | null
  readonly #onClosed: (region: Region) => void
  #holders = 1

  constructor(
    facts: {
      name: string
      key: string
      offset: number
      byteSize: number
      deviceId: number | null
    },
    file: SharedMemoryFile,
    onClosed: (region: Region) => void,
  ) {
    this.name = facts.name
    this.key = facts.key
    this.offset = facts.offset
    this.byteSize = facts.byteSize
    this.deviceId = facts.deviceId
    this.#file = file
    this.#onClosed = onClosed
    const mapped = file.map !== undefined && facts.byteSize <= MAX_MAPPED_BYTES
    this.#view = mapped ? (file.map?.(facts.offset, facts.byteSize) ?? null) : null
  }

  get mapped(): boolean {
    return this.#view !== null
  }

  hold(): void {
    this.#holders++
  }

  /** The last holder closes the file. */
  drop(): void {
    if (--this.#holders > 0) return
    this.#file.close()
    this.#onClosed(this)
  }

  /** Refuses what does not lie in the region. Written so that no sum can overflow. */
  check(ref: RegionRef): void {
    if (!(ref.offset >= 0 && ref.offset < this.byteSize)) throw invalidOffset(this.name)
    if (!(ref.byteSize >= 0 && ref.byteSize <= this.byteSize - ref.offset)) {
      throw invalidEnd(this.name)
    }
  }

  /** The memory itself; only where {@link mapped}. */
  view(ref: RegionRef): Uint8Array {
    const view = this.#view as Uint8Array
    return view.subarray(ref.offset, ref.offset + ref.byteSize)
  }

  read(ref: RegionRef, target: Uint8Array): void {
    if (this.#file.read(this.offset + ref.offset, target) !== target.length) {
      throw truncated('read', this.name)
    }
  }

  write(output: string, ref: RegionRef, data: Uint8Array): void {
    if (data.length > ref.byteSize) throw outputTooLarge(output, ref.byteSize, data.length)
    if (this.#view !== null) this.#view.set(data, ref.offset)
    else if (this.#file.write(this.offset + ref.offset, data) !== data.length) {
      throw truncated('write', this.name)
    }
  }
}
