import type { Parameters } from '../infer.ts'
import type { Tensor } from '../tensor.ts'

/** A response as it is kept: it lives on memory of its own, and nobody writes to it. */
export interface CachedResponse {
  readonly outputs: readonly Tensor[]
  readonly parameters?: Parameters
}

/** What a cache in this process holds. */
export interface CacheFigures {
  readonly entries: number
  readonly bytes: number
  /** Entries that had to go for others, ever. */
  readonly evictions: number
}

/**
 * Where responses are kept, for all models of a server. Keys are strings of characters below 256, at least 16 of them. Never
 * throws and never rejects: a cache that cannot be reached has nothing, and tells so on its own.
 */
export interface ResponseCache {
  /** As in `--cache-config=<name>,…`. */
  readonly name: string
  /** Whether other processes, later ones too, find what is put here. */
  readonly shared: boolean
  /** Responses of more bytes (`responseBytes`) are not to be put here. */
  readonly maxEntryBytes: number
  /** Null = not there. A cache in this process answers at once; no other waits for longer than its deadline. */
  get(key: string): CachedResponse | null | Promise<CachedResponse | null>
  /** Keeps `response`, which is the cache's from now on; false = it has one under this key. Another process gets it in the background. */
  put(key: string, response: CachedResponse): boolean
  /** Only of a cache in this process. */
  figures?(): CacheFigures
  /** Idempotent. */
  close(): Promise<void>
}
