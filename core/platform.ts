/**
 * What a target must supply. Core asks nobody which runtime it runs on: everything that touches the world comes in
 * through these interfaces.
 */

/** Monotonic time and timers. Production: `performance.now()`; tests: a clock that only moves when told. */
export interface Clock {
  /** Nanoseconds from an arbitrary start, monotonic. */
  now(): number
  /** Milliseconds since the Unix epoch (for `last_inference` and log lines only). */
  epochMs(): number
  /** Calls `run` once after `delayNs`; the returned function cancels it and may be called any number of times. */
  after(delayNs: number, run: () => void): () => void
  /** Calls `run` after the work of this turn of the event loop: what arrives in one turn can share a batch. */
  nextTurn(run: () => void): void
}

export type LogLevel = 'error' | 'warning' | 'info' | 'verbose'

export interface Log {
  error(message: string): void
  warning(message: string): void
  info(message: string): void
  /** `level` is compared with the verbose level in force (0 = off). */
  verbose(level: number, message: string): void
}

/** One file or folder below a repository root. */
export interface StoreEntry {
  /** Path relative to the store's root, POSIX separators, no leading slash. */
  readonly path: string
  readonly kind: 'file' | 'directory'
}

export interface StoreStat {
  readonly kind: 'file' | 'directory'
  readonly size: number
  /** Changes whenever the content does: mtime and size on disk, the ETag on S3. */
  readonly tag: string
}

/** Where model files live. Paths are POSIX, relative to the store's root, and already safe (`safeJoin`). */
export interface ModelStore {
  /** What a user calls it: the value of `--model-repository`. */
  readonly root: string
  /** Direct children of `path` ('' is the root), in no particular order. A missing folder yields nothing. */
  list(path: string, signal?: AbortSignal): Promise<readonly StoreEntry[]>
  /** Whole content. Throws NOT_FOUND where there is no such file. */
  read(path: string, signal?: AbortSignal): Promise<Uint8Array>
  /** `undefined` where nothing is. */
  stat(path: string, signal?: AbortSignal): Promise<StoreStat | undefined>
  /** Absolute path on this machine's disk, of a file or a folder; only for stores that have such. */
  localPath?(path: string, signal?: AbortSignal): Promise<string>
  /**
   * The folder `path` ('' is all) as it is now. Listings and tags of the view never change, and what it reads is what they
   * say, or a `ReplacedError`. Stores that are a network away have this, and are scanned and loaded from through it.
   */
  pin?(path: string, signal?: AbortSignal): Promise<ModelStore>
  /**
   * Brings all of a pinned folder to this machine, or throws; `localPath` of what is in it costs nothing then. It stays until
   * the function that comes of it is called, which may be called any number of times.
   */
  localise?(path: string, signal?: AbortSignal): Promise<() => void>
}

/**
 * A digest that nobody can make collide (SHA-256 and the like): 16 to 64 characters below 256, the same for equal bytes in
 * every process.
 */
export type Hash = (data: Uint8Array) => string

export interface Platform {
  readonly clock: Clock
  readonly log: Log
  /** Keys of the response cache are made with it. Default: a hash that is only safe against accidents. */
  readonly hash?: Hash
}
