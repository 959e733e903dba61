import type { ModelStore } from '../../core/platform.ts'
import { pause } from './content.ts'
import type { LocalCopies, RemoteFiles, RemoteListing } from './remote-types.ts'
import { remoteView } from './remote-view.ts'

/** What was written so recently may be a part of something that is still being written. */
export const FRESH_MS = 2_000
/** Between two looks at a folder that is being written. */
export const QUIET_MS = 1_000
/** Looks at a folder that never comes to rest; then it is taken as it is. */
export const MAX_LOOKS = 30

export interface RemoteStoreOptions {
  readonly files: RemoteFiles
  /** Where copies are kept. Absent = contents are read into memory only. */
  readonly local?: LocalCopies | undefined
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
}

/**
 * A model repository that is a network away. A model's folder that was written to just now is pinned when nothing changed
 * in it for {@link QUIET_MS}: who copies a model file by file, without pauses, is let finish.
 */
export function remoteStore(options: RemoteStoreOptions): ModelStore {
  const { files, local, now = Date.now } = options
  const view = (listing: RemoteListing): ModelStore => remoteView({ files, local, listing })
  const at = async (path: string, signal?: AbortSignal): Promise<ModelStore> =>
    view(await files.list(path, signal))

  return {
    root: files.root,
    list: async (path, signal) => (await at(path, signal)).list(path),
    stat: async (path, signal) => (await at(path, signal)).stat(path),
    read: async (path, signal) => (await at(path, signal)).read(path, signal),
    async pin(path, signal) {
      let listing = await files.list(path, signal)
      if (path === '') return view(listing)
      for (let look = 1; look < MAX_LOOKS && isFresh(listing, now()); look++) {
        await pause(QUIET_MS, signal)
        const later = await files.list(path, signal)
        const quiet = tagsOf(later) === tagsOf(listing)
        listing = later
        if (quiet) break
      }
      return view(listing)
    },
  }
}

function isFresh({ files }: RemoteListing, now: number): boolean {
  return files.some(({ modifiedMs = 0 }) => modifiedMs > now - FRESH_MS)
}

function tagsOf({ files }: RemoteListing): string {
  return files
    .map(({ path, tag }) => `${path} ${tag}`)
    .sort()
    .join('\n')
}
