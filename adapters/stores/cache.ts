import { createHash } from 'node:crypto'
import { open, readFile, rename, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, ServerError } from '../../core/errors.ts'
import type { Log } from '../../core/platform.ts'
import { createGate } from '../../core/repository/gate.ts'
import { isReplaced } from '../../core/repository/replaced.ts'
import { downloadAll, isWhole, syncFolder } from './cache-download.ts'
import { downloadReport } from './cache-report.ts'
import {
  type CacheEntry,
  discard,
  discardOthers,
  ENTRY_FILE,
  makeRoom,
  PARTIAL,
  type Room,
  readEntry,
} from './cache-room.ts'
import { copiesBelow, makePrivate } from './private-folder.ts'
import type { CopyRequest, LocalCopies } from './remote-types.ts'

/** Files that are downloaded at the same time, all models together. */
export const PARALLEL_DOWNLOADS = 8
/** The files of a copy, beside what says what it is. */
const FILES = 'files'
/** Beside them while they are downloaded. */
const UNFINISHED = 'unfinished'

export interface ModelCacheOptions {
  /** Where copies are kept; made when it is not there. Nobody but this user may write to it: models can be code. */
  readonly folder: string
  /** Bytes of all copies together; what was used longest ago makes room. 0 = what the disk has. */
  readonly maxBytes: number
  readonly log: Log
}

/**
 * Copies of remote folders on disk, by what is in them: what is there already is not downloaded again, also not after a
 * restart. A copy gets its name when all of it is safely on the disk; before, a download goes on where it ended.
 */
export function modelCache(options: ModelCacheOptions): LocalCopies {
  const { maxBytes, log } = options
  const folder = copiesBelow(options.folder)
  const gate = createGate(PARALLEL_DOWNLOADS)
  /** What is copied now, by name. */
  const running = new Map<string, Promise<boolean>>()
  /** How often each copy was asked for and not released. */
  const holds = new Map<string, number>()

  const room: Room = {
    folder,
    maxBytes,
    held: (name) => holds.has(name),
  }

  /** Until the function that comes of it is called, the copy stays. */
  function hold(name: string): () => void {
    holds.set(name, (holds.get(name) ?? 0) + 1)
    let released = false
    return () => {
      const left = (holds.get(name) ?? 0) - (released ? 0 : 1)
      released = true
      if (left > 0) holds.set(name, left)
      else holds.delete(name)
    }
  }

  /** Resolves to whether something had to be downloaded for it. */
  async function make(name: string, request: CopyRequest): Promise<boolean> {
    await makePrivate(folder)
    if (await isComplete(folder, name, request)) return false
    await discard(folder, name)
    const of = `${request.from.root} ${request.path}`
    let bytes = 0
    for (const { file } of request.files) bytes += file.size
    await makeRoom(room, bytes)
    const report = downloadReport({ log, what: `${request.from.root}/${request.path}`, bytes })
    const partial = join(folder, name + PARTIAL)
    try {
      await downloadAll({
        into: join(partial, FILES),
        request,
        gate,
        unfinished: join(partial, UNFINISHED),
        progress: report.progress,
      })
      await complete(folder, name, { of, bytes })
    } catch (error) {
      // Another server that shares the folder may have been faster.
      if (await isComplete(folder, name, request)) return true
      // What was replaced is never asked for again; anything else is gone on with.
      if (isReplaced(error)) await discard(folder, name + PARTIAL)
      throw explain(error, folder)
    }
    report.done()
    await discardOthers(room, of, name)
    return true
  }

  return {
    async bring(request) {
      const name = nameOf(request)
      const release = hold(name)
      try {
        let copy = running.get(name)
        if (copy === undefined) {
          copy = make(name, request).finally(() => running.delete(name))
          running.set(name, copy)
        }
        return { folder: join(folder, name, FILES), downloaded: await copy, release }
      } catch (error) {
        release()
        throw error
      }
    },
    read: (path, signal) => readFile(path, { signal }),
    join: (base, path) => join(base, path),
  }
}

/** The same for the same contents of the same place. */
function nameOf({ from, path, files }: CopyRequest): string {
  const lines = files.map(({ at, file }) => JSON.stringify([at, file.size, file.tag])).sort()
  const text = [from.root, path, ...lines].join('\n')
  return createHash('sha256').update(text).digest('hex').slice(0, 40)
}

async function isComplete(folder: string, name: string, { files }: CopyRequest): Promise<boolean> {
  const entry = join(folder, name, ENTRY_FILE)
  if ((await readEntry(entry)) === undefined) return false
  for (const { at, file } of files) {
    if (!(await isWhole(join(folder, name, FILES, at), file.size))) return false
  }
  const now = new Date()
  await utimes(entry, now, now).catch(() => undefined)
  return true
}

/** Gives a whole download its name. */
async function complete(folder: string, name: string, entry: CacheEntry): Promise<void> {
  const partial = join(folder, name + PARTIAL)
  // Of a process that was killed.
  await rm(join(partial, UNFINISHED), { recursive: true, force: true })
  const file = await open(join(partial, ENTRY_FILE), 'w', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(entry)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await syncFolder(partial)
  await rename(partial, join(folder, name))
  await syncFolder(folder)
}

function explain(error: unknown, folder: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (error instanceof ServerError || code === '' || code === 'ABORT_ERR') return error
  const full = code === 'ENOSPC' || code === 'EDQUOT'
  const why = full ? 'its disk is full' : messageOf(error)
  return new ServerError('UNAVAILABLE', `cannot keep copies of models in '${folder}': ${why}`, {
    cause: error,
  })
}
