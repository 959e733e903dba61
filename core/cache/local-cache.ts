import { ServerError } from '../errors.ts'
import { responseBytes } from './copy-response.ts'
import type { CachedResponse, ResponseCache } from './types.ts'

/** One response may take this share of the cache: a few large ones would otherwise push everything else out. */
export const MAX_ENTRY_SHARE: number = 1 / 8

/**
 * `--cache-config=local,size=<bytes>`: the responses that were asked for last, in this process, in no more than `size` bytes.
 * Throws INVALID_ARG for a size below 1.
 */
export function localCache({ size }: { readonly size: number }): ResponseCache {
  if (!(Number.isSafeInteger(size) && size > 0)) {
    throw new ServerError('INVALID_ARG', `the size of a local cache must be above 0, got ${size}`)
  }
  // A map hands its entries out in the order in which they came: the first is the one that nobody asked for the longest.
  const entries = new Map<string, CachedResponse>()
  let bytes = 0
  let evictions = 0

  const makeRoom = (room: number): void => {
    for (const [key, entry] of entries) {
      if (bytes + room <= size) return
      entries.delete(key)
      bytes -= responseBytes(entry)
      evictions++
    }
  }
  return {
    name: 'local',
    shared: false,
    maxEntryBytes: Math.floor(size * MAX_ENTRY_SHARE),
    get(key) {
      const entry = entries.get(key)
      if (entry === undefined) return null
      entries.delete(key)
      entries.set(key, entry)
      return entry
    },
    put(key, response) {
      if (entries.has(key)) return false
      const room = responseBytes(response)
      makeRoom(room)
      if (bytes + room > size) return true
      entries.set(key, response)
      bytes += room
      return true
    },
    figures: () => ({ entries: entries.size, bytes, evictions }),
    close() {
      entries.clear()
      bytes = 0
      return Promise.resolve()
    },
  }
}
