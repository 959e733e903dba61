import type { ModelStore } from '../../core/platform.ts'
import { fileMapStore } from '../../core/repository/file-map.ts'

export interface MemoryStoreOptions {
  /** What messages call it. Default `memory`. */
  readonly root?: string
  /** Contents by path below the root. The map stays the caller's: what it changes, the next scan sees. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

/** A model repository in memory: for the browser, for tests, for embedding. */
export function memoryStore(options: MemoryStoreOptions): ModelStore {
  return fileMapStore({ root: options.root ?? 'memory', files: options.files })
}
