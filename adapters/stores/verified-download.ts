import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { ServerError } from '../../core/errors.ts'
import type { ModelStore } from '../../core/platform.ts'
import type { ModelDigests } from './digest-file.ts'
import { filesBelow } from './files-below.ts'
import type { VerifiedFiles } from './verified-types.ts'

/**
 * Verifies what a pinned store downloads, where it lies: copies of remote models are in a folder that nobody but this user
 * can write to.
 */
export function verifiedDownload(store: ModelStore, digests: ModelDigests): VerifiedFiles {
  /** Folders that are kept from being replaced, and were verified since. */
  const held = new Map<string, number>()

  function isHeld(path: string): boolean {
    for (const folder of held.keys()) {
      if (path === folder || path.startsWith(`${folder}/`)) return true
    }
    return false
  }

  async function verify(path: string, signal?: AbortSignal): Promise<void> {
    for (const file of await filesBelow(store, path, signal)) {
      const local = await localPathOf(store, file, signal)
      const hash = createHash('sha256')
      await pipeline(createReadStream(local), hash, { signal })
      await digests.check(store.root, file, hash.digest('hex'))
    }
  }

  return {
    async localPath(path, signal) {
      const local = await localPathOf(store, path, signal)
      if (!isHeld(path)) await verify(path, signal)
      return local
    },
    async localise(path, signal) {
      const release = (await store.localise?.(path, signal)) ?? (() => undefined)
      try {
        await verify(path, signal)
      } catch (error) {
        release()
        throw error
      }
      held.set(path, (held.get(path) ?? 0) + 1)
      let released = false
      return () => {
        if (released) return
        released = true
        const left = (held.get(path) ?? 0) - 1
        if (left > 0) held.set(path, left)
        else held.delete(path)
        release()
      }
    },
  }
}

async function localPathOf(
  store: ModelStore,
  path: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const local = await store.localPath?.(path, signal)
  if (local !== undefined) return local
  throw new ServerError('UNSUPPORTED', `'${path}' of '${store.root}' is not on this machine's disk`)
}
