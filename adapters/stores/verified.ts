import { createHash } from 'node:crypto'
import type { ModelStore } from '../../core/platform.ts'
import type { CopyFolders } from './copy-folders.ts'
import type { ModelDigests } from './digest-file.ts'
import { verifiedCopy } from './verified-copy.ts'
import { verifiedDownload } from './verified-download.ts'
import type { VerifiedFiles } from './verified-types.ts'

export interface VerifiedStoreOptions {
  readonly store: ModelStore
  readonly digests: ModelDigests
  /** What of the store's paths lists do not have: an archive's own folder. Default ''. */
  readonly folder?: string | undefined
  /** Where files of a disk are copied to before they are loaded. */
  readonly folders: CopyFolders
}

/** `store`, of which nothing can be read but what `digests` lists: models, configurations, code and what lies beside it. */
export function verifiedStore(options: VerifiedStoreOptions): ModelStore {
  const { store, folders } = options
  const digests = digestsBelow(options)
  const copies = (): VerifiedFiles => verifiedCopy(store, digests, folders)
  const { pin, localPath } = store
  if (pin !== undefined) {
    return {
      ...verifiedView(store, digests, undefined),
      pin: async (path, signal) => {
        const view = await pin.call(store, path, signal)
        const files = view.localPath && verifiedDownload(view, digests)
        return verifiedView(view, digests, files)
      },
    }
  }
  if (localPath === undefined) return verifiedView(store, digests, undefined)
  return {
    ...verifiedView(store, digests, copies()),
    // Each load has copies of its own: an old model's stay as they are while a new one's are made.
    pin: async () => verifiedView(store, digests, copies()),
  }
}

function verifiedView(
  store: ModelStore,
  digests: ModelDigests,
  files: VerifiedFiles | undefined,
): ModelStore {
  return {
    root: store.root,
    list: (path, signal) => store.list(path, signal),
    stat: (path, signal) => store.stat(path, signal),
    async read(path, signal) {
      const bytes = await store.read(path, signal)
      await digests.check(store.root, path, createHash('sha256').update(bytes).digest('hex'))
      return bytes
    },
    ...files,
  }
}

function digestsBelow({ digests, folder = '' }: VerifiedStoreOptions): ModelDigests {
  if (folder === '') return digests
  const cut = (path: string): string =>
    path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path
  return { check: (root, path, sha256) => digests.check(root, cut(path), sha256) }
}
