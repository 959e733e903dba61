import { closeSync, fstatSync } from 'node:fs'
import type { Mapping, MemoryFiles } from '../../../native/memfd/library.ts'
import { type MemoryLimits, SEGMENT_BYTES } from './memory-limits.ts'

/** Blocks up to this size are copied and given back at once: cheaper than watching who still reads them. Bytes. */
export const COPIED_BYTES: number = 64 * 1024

interface Segment {
  readonly begin: number
  readonly end: number
  readonly mapping: Mapping
}

/** Bytes of a block that tensors are in; the first is at offset `base` of the file. */
export interface ReceivedBytes {
  readonly base: number
  readonly bytes: Uint8Array
  /** Gives the block back; null = it is back already. */
  readonly release: (() => void) | null
}

/**
 * Memory that a worker writes and the server reads. Nothing that a worker says of it is believed: what is not within the pages that
 * the file is known to have is never touched.
 */
export class ReceivedMemory {
  readonly #files: MemoryFiles
  readonly #fd: number
  readonly #limits: MemoryLimits
  readonly #segments: Segment[] = []
  #open = true
  readonly #free: (at: number) => void
  /** A part that nobody reads any more gives its block back, whether or not it was released. */
  readonly #collected: FinalizationRegistry<number>

  constructor(options: {
    readonly files: MemoryFiles
    readonly fd: number
    readonly limits: MemoryLimits
    /** To be told to the worker: nobody reads the block at this offset any more. */
    readonly free: (at: number) => void
  }) {
    this.#files = options.files
    this.#fd = options.fd
    this.#limits = options.limits
    this.#free = options.free
    this.#collected = new FinalizationRegistry(options.free)
    this.#addSegment(options.limits.initial)
  }

  /** The worker made the file longer, to `size`. Throws where it did not, or not as it should. */
  grow(size: unknown): void {
    const known = this.#size
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size % SEGMENT_BYTES !== 0) {
      throw new Error('its memory file has a size that none has')
    }
    if (size <= known) throw new Error('its memory file cannot become smaller')
    if (size > this.#limits.most) {
      throw new Error(
        `its memory file grew beyond shm-max-byte-size, which is ${this.#limits.most}`,
      )
    }
    if (!this.#open) return
    if (fstatSync(this.#fd).size < size) throw new Error('its memory file is smaller than it says')
    this.#addSegment(size)
  }

  /** Bytes `from` up to `to` of the file, which are tensors in `block`. Throws where they are not in its segment. */
  read(block: unknown, from: number, to: number): ReceivedBytes {
    const at = offsetOf(block)
    const { begin, end, mapping } = this.#segmentOf(at)
    if (from === to) {
      this.#free(at)
      return { base: from, bytes: NOTHING, release: null }
    }
    if (from < at || to > end) throw new Error('a tensor is not in its block')
    if (to - from <= COPIED_BYTES) {
      const bytes = mapping.bytes.slice(from - begin, to - begin)
      this.#free(at)
      return { base: from, bytes, release: null }
    }
    const part = mapping.part(from - begin, to - from)
    this.#collected.register(part, at, part)
    let released = false
    const release = (): void => {
      if (released) return
      released = true
      this.#collected.unregister(part)
      this.#free(at)
    }
    return { base: from, bytes: new Uint8Array(part), release }
  }

  /** It grows no more; what is mapped stays, as long as somebody reads it. Idempotent. */
  close(): void {
    if (this.#open) closeSync(this.#fd)
    this.#open = false
  }

  get #size(): number {
    return this.#segments.at(-1)?.end ?? 0
  }

  #segmentOf(at: number): Segment {
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      const segment = this.#segments[i] as Segment
      if (at >= segment.begin && at < segment.end) return segment
    }
    throw new Error('a block is not in its memory file')
  }

  #addSegment(end: number): void {
    const begin = this.#size
    this.#segments.push({ begin, end, mapping: this.#files.map(this.#fd, begin, end - begin) })
  }
}

const NOTHING = new Uint8Array(0)

function offsetOf(block: unknown): number {
  return typeof block === 'number' && Number.isSafeInteger(block) ? block : -1
}
