import { closeSync, ftruncateSync } from 'node:fs'
import { ServerError } from '../../../core/errors.ts'
import type { Mapping, MemoryFiles } from '../../../native/memfd/library.ts'
import { BlockList } from './block-list.ts'
import { type MemoryLimits, SEGMENT_BYTES } from './memory-limits.ts'

/** Memory that the server writes and a worker reads. */
export class SentMemory {
  readonly #files: MemoryFiles
  readonly #fd: number
  readonly #limits: MemoryLimits
  readonly #blocks: BlockList = new BlockList()
  readonly #begins: number[] = []
  readonly #segments: Mapping[] = []
  #size = 0
  #untold = 0
  #open = true

  constructor(files: MemoryFiles, fd: number, limits: MemoryLimits) {
    this.#files = files
    this.#fd = fd
    this.#limits = limits
    this.#addSegment(limits.initial)
  }

  /** Blocks that the worker has not given back. */
  get count(): number {
    return this.#blocks.count
  }

  /** Offset of a block of `bytes` (more than 0). Throws UNAVAILABLE where the file would get too large. */
  take(bytes: number): number {
    const at = this.#blocks.take(bytes)
    if (at >= 0) return at
    const { growth, most } = this.#limits
    const more = Math.ceil(Math.max(bytes, growth) / SEGMENT_BYTES) * SEGMENT_BYTES
    if (this.#size + more > most) {
      throw new ServerError(
        'UNAVAILABLE',
        `no room for ${bytes} bytes in the memory of the model instance: shm-max-byte-size is ${most}`,
      )
    }
    if (!this.#open) throw new ServerError('UNAVAILABLE', 'the model instance has ended')
    ftruncateSync(this.#fd, this.#size + more)
    this.#addSegment(more)
    this.#untold = this.#size
    return this.#blocks.take(bytes)
  }

  write(at: number, bytes: Uint8Array): void {
    let i = this.#begins.length - 1
    while (at < (this.#begins[i] as number)) i--
    this.#segments[i]?.bytes.set(bytes, at - (this.#begins[i] as number))
  }

  /** What the worker gave back. Throws where it never had it. */
  free(at: unknown): void {
    if (typeof at !== 'number' || !this.#blocks.free(at))
      throw new Error(`no block begins at ${String(at).slice(0, 20)}`)
  }

  /** The file's size, once after it grew; else 0. */
  takeGrown(): number {
    const size = this.#untold
    this.#untold = 0
    return size
  }

  /** It grows no more; what is mapped stays. Idempotent. */
  close(): void {
    if (this.#open) closeSync(this.#fd)
    this.#open = false
  }

  #addSegment(bytes: number): void {
    this.#segments.push(this.#files.map(this.#fd, this.#size, bytes))
    this.#begins.push(this.#size)
    this.#blocks.addSegment(this.#size, this.#size + bytes)
    this.#size += bytes
  }
}
