import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf } from '../../core/errors.ts'
import type { Log } from '../../core/platform.ts'
import { UnreachableError } from '../../core/repository/replaced.ts'
import { contentOf } from './content.ts'
import { copiesBelow, makePrivate } from './private-folder.ts'
import type { RemoteFile, RemoteFiles, RemoteListing } from './remote-types.ts'

/** Configs, labels and their like, which are read without a copy of their folder. */
export const MAX_KEPT_BYTES: number = 256 * 1024
/** Files of a listing that is kept; a longer one takes too long to write with every change. */
export const MAX_KEPT_FILES = 20_000
/** After a repository was found out of reach, what was kept is taken for so long without asking. */
const OFFLINE_MS = 10_000
const LISTING = 'listing.json'

export interface KeptFilesOptions {
  readonly files: RemoteFiles
  /** The folder of the copies. */
  readonly folder: string
  readonly log: Log
}

/**
 * `files` for a machine that may start without its network: until the repository is reached for the first time, it is as it was
 * when it was reached the last time. Together with copies of the models' folders that is enough to serve them.
 */
export function keptFiles({ files, folder, log }: KeptFilesOptions): RemoteFiles {
  const { root } = files
  const place = join(copiesBelow(folder), 'kept', digest(root))
  let checked: Promise<boolean> | undefined
  let reached = false
  let offlineUntil = 0
  let latest: string | undefined

  /** What others could have put there is not believed. */
  function isOurs(): Promise<boolean> {
    checked ??= makePrivate(copiesBelow(folder)).then(
      () => true,
      () => false,
    )
    return checked
  }

  async function kept(path: string): Promise<RemoteListing | undefined> {
    if (!(await isOurs())) return undefined
    const all = await readListing(join(place, LISTING))
    if (all === undefined || path === '') return all
    const below = (one: string): boolean => one === path || one.startsWith(`${path}/`)
    return {
      files: all.files.filter((file) => below(file.path)),
      folders: all.folders.filter(below),
    }
  }

  async function list(path: string, signal?: AbortSignal): Promise<RemoteListing> {
    if (!reached && performance.now() < offlineUntil) {
      const before = await kept(path)
      if (before !== undefined) return before
    }
    try {
      const listing = await files.list(path, signal)
      if (!reached && offlineUntil > 0) log.info(`reached '${root}'`)
      reached = true
      if (path === '') await keep(listing)
      return listing
    } catch (error) {
      if (reached || !(error instanceof UnreachableError)) throw error
      const before = await kept(path)
      if (before === undefined) throw error
      if (offlineUntil === 0) {
        log.warning(`${messageOf(error)}; going on with what it had when it was reached last`)
      }
      offlineUntil = performance.now() + OFFLINE_MS
      return before
    }
  }

  /** What cannot be kept is no reason not to serve. */
  async function keep(listing: RemoteListing): Promise<void> {
    const text = listing.files.length > MAX_KEPT_FILES ? '' : JSON.stringify(listing)
    if (text === latest || !(await isOurs())) return
    try {
      await write(join(place, LISTING), text)
      latest = text
      const listed = new Set([LISTING, ...listing.files.map(nameOf)])
      for (const name of await readdir(place)) {
        if (!listed.has(name)) await rm(join(place, name), { force: true })
      }
    } catch (error) {
      log.verbose(1, `cannot keep the listing of '${root}': ${messageOf(error)}`)
    }
  }

  async function* small(file: RemoteFile, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const path = join(place, nameOf(file))
    const ours = await isOurs()
    const before = ours ? await readFile(path).catch(() => undefined) : undefined
    if (before?.length === file.size) {
      yield before
      return
    }
    const chunks: Uint8Array[] = []
    for await (const chunk of contentOf(files, file, signal)) chunks.push(chunk)
    const content = Buffer.concat(chunks)
    const whole = file.sha256 === undefined || sha256(content) === file.sha256
    if (ours && whole) await write(path, content).catch(() => undefined)
    yield content
  }

  return {
    root,
    list,
    open: (file, offset, signal) =>
      offset === 0 && file.size <= MAX_KEPT_BYTES
        ? Promise.resolve(small(file, signal))
        : files.open(file, offset, signal),
    close: () => files.close(),
  }
}

function nameOf({ path, size, tag }: RemoteFile): string {
  return digest(JSON.stringify([path, size, tag]))
}

function digest(text: string): string {
  return sha256(text).slice(0, 40)
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

async function readListing(path: string): Promise<RemoteListing | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as RemoteListing
  } catch {
    return undefined
  }
}

/** In one step, and safely on the disk. */
async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const unfinished = `${path}.${process.pid}`
  const file = await open(unfinished, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(unfinished, path)
}
