import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ServerError } from '../../core/errors.ts'
import type { ModelStore } from '../../core/platform.ts'
import type { CopyFolders } from './copy-folders.ts'
import type { ModelDigests } from './digest-file.ts'
import { filesBelow } from './files-below.ts'
import type { VerifiedFiles } from './verified-types.ts'

const CHUNK_BYTES: number = 1024 * 1024

/**
 * Copies files of a disk that others may write to, and verifies what was copied: what is loaded is what was hashed, whatever
 * becomes of the original meanwhile. The copies are gone when the last folder is released, or the server closed.
 */
export function verifiedCopy(
  store: ModelStore,
  digests: ModelDigests,
  folders: CopyFolders,
): VerifiedFiles {
  let root: Promise<string> | undefined
  let copied = new Map<string, Promise<void>>()
  let live = 0

  async function copyBelow(path: string, signal?: AbortSignal): Promise<string> {
    root ??= folders.create()
    const base = await root
    const done = copied
    // A folder without files is one, too.
    if ((await store.stat(path, signal))?.kind === 'directory') {
      await mkdir(join(base, path), { recursive: true, mode: 0o700 })
    }
    for (const file of await filesBelow(store, path, signal)) {
      let copy = done.get(file)
      if (copy === undefined) {
        copy = copyOne(file, join(base, file), signal)
        done.set(file, copy)
        copy.catch(() => done.delete(file))
      }
      await copy
    }
    return join(base, path)
  }

  async function copyOne(path: string, to: string, signal?: AbortSignal): Promise<void> {
    const from = await store.localPath?.(path, signal)
    if (from === undefined) {
      throw new ServerError('UNSUPPORTED', `'${path}' is not on this machine's disk`)
    }
    await mkdir(dirname(to), { recursive: true, mode: 0o700 })
    try {
      await digests.check(store.root, path, await copyFile(from, to, signal))
    } catch (error) {
      await rm(to, { force: true })
      throw error
    }
  }

  function release(): void {
    if (--live > 0 || root === undefined) return
    const left = root
    root = undefined
    copied = new Map()
    void left.then((folder) => folders.remove(folder))
  }

  return {
    async localPath(path, signal) {
      if ((await store.stat(path, signal)) === undefined) {
        throw new ServerError('NOT_FOUND', `no file '${path}' in '${store.root}'`)
      }
      return copyBelow(path, signal)
    },
    async localise(path, signal) {
      live++
      let released = false
      const once = (): void => {
        if (!released) release()
        released = true
      }
      try {
        await copyBelow(path, signal)
        return once
      } catch (error) {
        once()
        throw error
      }
    },
  }
}

/** Returns the SHA-256 of what was written. */
async function copyFile(from: string, to: string, signal?: AbortSignal): Promise<string> {
  // Non-blocking, so that a pipe in the repository cannot hold a load for ever.
  const source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stat = await source.stat()
    if (!stat.isFile()) throw new ServerError('INVALID_ARG', `'${from}' is not a regular file`)
    // Programs that a model brings stay such.
    const target = await open(to, 'wx', 0o600 | (stat.mode & 0o100))
    try {
      const hash = createHash('sha256')
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, stat.size))
      // To the size it had: a file that grows for ever ends here.
      for (let left = stat.size; left > 0; ) {
        signal?.throwIfAborted()
        const { bytesRead } = await source.read(chunk, 0, Math.min(chunk.length, left))
        if (bytesRead === 0) break
        left -= bytesRead
        hash.update(chunk.subarray(0, bytesRead))
        for (let done = 0; done < bytesRead; ) {
          done += (await target.write(chunk, done, bytesRead - done)).bytesWritten
        }
      }
      return hash.digest('hex')
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}
