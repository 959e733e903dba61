import { constants } from 'node:fs'
import { type FileHandle, open, readdir, readlink, realpath, stat } from 'node:fs/promises'
import { join, resolve, sep } from 'node:path'
import { ServerError } from '../../core/errors.ts'
import { safeJoin } from '../../core/paths.ts'
import type { ModelStore, StoreEntry, StoreStat } from '../../core/platform.ts'

export interface DiskStoreOptions {
  /** The repository folder, absolute or relative to the working directory. */
  readonly root: string
  /**
   * Follow symbolic links that lead out of the root (`--allow-repository-symlinks`). Links within it are always followed.
   * Default false.
   */
  readonly allowSymlinks?: boolean
}

const GONE: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR'])

/** A model repository on this machine's disk. Nothing outside the root is read, whatever a path or a link says. */
export function diskStore(options: DiskStoreOptions): ModelStore {
  const { root, allowSymlinks = false } = options
  const base = resolve(root)

  /** The real path of what is at `path`; undefined where nothing is. */
  async function locate(path: string): Promise<string | undefined> {
    const wanted = path === '' ? base : join(base, ...safeJoin('', path).split('/'))
    try {
      const [realBase, real] = await Promise.all([realpath(base), realpath(wanted)])
      if (!allowSymlinks && !isInside(realBase, real)) throw outside(path)
      return real
    } catch (error) {
      if (isGone(error)) return undefined
      throw explain(error, path)
    }
  }

  async function entryOf(path: string): Promise<StoreStat | undefined> {
    const real = await locate(path)
    if (real === undefined) return undefined
    try {
      const found = await stat(real, { bigint: true })
      if (found.isDirectory()) return { kind: 'directory', size: 0, tag: '' }
      if (!found.isFile()) return undefined
      const tag = `${found.mtimeNs}-${found.size}-${found.ino}`
      return { kind: 'file', size: Number(found.size), tag }
    } catch (error) {
      if (isGone(error)) return undefined
      throw explain(error, path)
    }
  }

  /** Between the check of a path and its opening a link may have changed: what counts is what was opened. */
  async function checkOpened(file: FileHandle, path: string): Promise<void> {
    if (!(await file.stat()).isFile()) throw notFound(path)
    if (allowSymlinks) return
    const opened = await readlink(`/proc/self/fd/${file.fd}`).catch(() => undefined)
    if (opened !== undefined && !isInside(await realpath(base), opened)) throw outside(path)
  }

  function notFound(path: string): ServerError {
    return new ServerError('NOT_FOUND', `no file '${path}' in '${root}'`)
  }

  function outside(path: string): ServerError {
    return new ServerError('INVALID_ARG', `'${path}' leads out of the model repository '${root}'`)
  }

  function explain(error: unknown, path: string): Error {
    if (error instanceof ServerError) return error
    const code = codeOf(error) ?? 'error'
    return new ServerError('INTERNAL', `failed to read '${path}' in '${root}': ${code}`)
  }

  return {
    root,

    async list(path) {
      const real = await locate(path)
      if (real === undefined) return []
      const found = await readdir(real, { withFileTypes: true }).catch((error: unknown) => {
        if (isGone(error)) return []
        throw explain(error, path)
      })
      const entries: StoreEntry[] = []
      for (const one of found) {
        const child = path === '' ? one.name : `${path}/${one.name}`
        if (one.isDirectory()) entries.push({ path: child, kind: 'directory' })
        else if (one.isFile()) entries.push({ path: child, kind: 'file' })
        else if (one.isSymbolicLink()) {
          const kind = await kindOfLink(join(real, one.name), child)
          if (kind !== undefined) entries.push({ path: child, kind })
        }
      }
      return entries
    },

    async read(path, signal) {
      const real = await locate(path)
      if (real === undefined) throw notFound(path)
      let file: FileHandle | undefined
      try {
        // Non-blocking, so that a pipe in the repository cannot hold a load for ever.
        file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
        await checkOpened(file, path)
        return await file.readFile({ signal })
      } catch (error) {
        if (signal?.aborted) throw error
        if (isGone(error)) throw notFound(path)
        throw explain(error, path)
      } finally {
        await file?.close()
      }
    },

    stat: entryOf,

    async localPath(path) {
      const real = await locate(path)
      if (real === undefined) throw notFound(path)
      return real
    },
  }

  /** Links are judged by what they lead to; one that leads out, or nowhere, is not there. */
  async function kindOfLink(full: string, path: string): Promise<StoreEntry['kind'] | undefined> {
    try {
      const real = await realpath(full)
      if (!allowSymlinks && !isInside(await realpath(base), real)) return undefined
      const found = await stat(real)
      return found.isDirectory() ? 'directory' : found.isFile() ? 'file' : undefined
    } catch (error) {
      if (isGone(error) || codeOf(error) === 'ELOOP') return undefined
      throw explain(error, path)
    }
  }
}

function isInside(base: string, path: string): boolean {
  return path === base || path.startsWith(base.endsWith(sep) ? base : base + sep)
}

function isGone(error: unknown): boolean {
  const code = codeOf(error)
  return code !== undefined && GONE.has(code)
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return String(error.code)
}
