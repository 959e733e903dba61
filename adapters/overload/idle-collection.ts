/** How often memory is looked at. */
export const LOOK_MS = 1_000
/** The server has nothing to do, and its memory is the same, for so many looks in a row. */
export const QUIET_LOOKS = 3
/** Less than this, in bytes, is not worth a collection. */
const WORTHWHILE_BYTES: number = 32 * 1024 * 1024
/** Memory that changes by no more than this is the same. */
const SAME_BYTES: number = 1024 * 1024

export interface IdleCollectionOptions {
  /** Requests are in flight. */
  readonly busy: () => boolean
  /** Bytes of all buffers, those that nobody uses any more included. */
  readonly buffers: () => number
  /** Collects all of them. */
  readonly collect: () => void
  /** Calls `run` every `ms`; returns how to end that. Must not keep the process alive. */
  readonly every: (ms: number, run: () => void) => () => void
}

/**
 * Has the buffers of large requests collected when they are over: V8 collects when something is allocated, so a server that
 * becomes idle after large requests would keep their memory until the next ones. Returns how to end it.
 */
export function startIdleCollection(options: IdleCollectionOptions): () => void {
  const { busy, buffers, collect, every } = options
  /** What the last collection left is in use. */
  let inUse = 0
  let last = 0
  let quiet = 0
  return every(LOOK_MS, () => {
    const now = buffers()
    const same = Math.abs(now - last) <= SAME_BYTES
    last = now
    inUse = Math.min(inUse, now)
    quiet = same && !busy() ? quiet + 1 : 0
    if (quiet < QUIET_LOOKS || now - inUse < WORTHWHILE_BYTES) return
    collect()
    inUse = buffers()
    last = inUse
    quiet = 0
  })
}
