import type { MemoryFiles } from '../../../native/memfd/library.ts'
import { type MemoryLimits } from './memory-limits.ts'
/** Blocks up to this size are copied and given back at once: cheaper than watching who still reads them. Bytes. */
export declare const COPIED_BYTES: number
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
export declare class ReceivedMemory {
  #private
  constructor(options: {
    readonly files: MemoryFiles
    readonly fd: number
    readonly limits: MemoryLimits
    /** To be told to the worker: nobody reads the block at this offset any more. */
    readonly free: (at: number) => void
  })
  /** The worker made the file longer, to `size`. Throws where it did not, or not as it should. */
  grow(size: unknown): void
  /** Bytes `from` up to `to` of the file, which are tensors in `block`. Throws where they are not in its segment. */
  read(block: unknown, from: number, to: number): ReceivedBytes
  /** It grows no more; what is mapped stays, as long as somebody reads it. Idempotent. */
  close(): void
}
