import type { Archive } from './types.ts'

/** Files and folders that are looked at; what lies beyond counts nothing. */
export const MAX_COUNTED_ENTRIES = 10_000

/** Bytes of all files of an archive, as they lie on disk. */
export async function archiveBytes({ store, folder }: Archive): Promise<number> {
  const open = [folder]
  let bytes = 0
  let entries = 0
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    for (const entry of await store.list(path)) {
      if (++entries > MAX_COUNTED_ENTRIES) return bytes
      if (entry.kind === 'directory') open.push(entry.path)
      else bytes += (await store.stat(entry.path))?.size ?? 0
    }
  }
  return bytes
}
