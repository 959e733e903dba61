import { readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { ServerError } from '../../core/errors.ts'

/** Of the disk's free bytes, what copies may take. */
const SHARE_OF_FREE = 0.9
/** Downloads that nobody went on with for so long are thrown away. */
const ABANDONED_MS = 7 * 24 * 3600 * 1000

/** Says in each copy's folder what it is; it is written last. */
export const ENTRY_FILE = 'entry.json'
/** Ends the name of a folder whose download is not complete. */
export const PARTIAL = '.partial'
/** Ends the name of a folder that is being removed. */
const GONE = '.gone'

export interface CacheEntry {
  /** Of what this is a copy: root and path. */
  readonly of: string
  readonly bytes: number
}

interface Found extends CacheEntry {
  readonly name: string
  readonly usedMs: number
}

export interface Room {
  readonly folder: string
  /** Bytes of all copies together; 0 = what the disk has. */
  readonly maxBytes: number
  /** Names of folders that stay. */
  readonly held: (name: string) => boolean
}

/**
 * Removes what was used longest ago until `bytes` more have room. Throws UNAVAILABLE that names both numbers where what has to
 * stay leaves too little.
 */
export async function makeRoom(room: Room, bytes: number): Promise<void> {
  const found = await entries(room.folder)
  let taken = 0
  // What is being downloaded is what room is made for.
  for (const one of found) if (!isDownloading(room, one.name)) taken += one.bytes
  const limit = await limitOf(room, taken)
  found.sort((a, b) => a.usedMs - b.usedMs)
  for (const one of found) {
    if (taken + bytes <= limit) return
    if (isHeld(room, one.name)) continue
    await discard(room.folder, one.name)
    taken -= one.bytes
  }
  if (taken + bytes <= limit) return
  const [needed, free] = [bytes, Math.max(0, limit - taken)].map((count) => Math.floor(count))
  throw new ServerError(
    'UNAVAILABLE',
    `a model needs ${needed} bytes in '${room.folder}', there is room for ${free} (--repository-cache-size, or free space on its disk)`,
  )
}

async function limitOf({ folder, maxBytes }: Room, taken: number): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  const disk = taken + bavail * bsize * SHARE_OF_FREE
  return maxBytes === 0 ? disk : Math.min(maxBytes, disk)
}

/** Removes the other copies of `of`, those that are `held` excepted. */
export async function discardOthers(room: Room, of: string, name: string): Promise<void> {
  for (const one of await entries(room.folder)) {
    if (one.of === of && one.name !== name && !room.held(one.name)) {
      await discard(room.folder, one.name)
    }
  }
}

/** Removes a folder so that no reader finds a part of it. */
export async function discard(folder: string, name: string): Promise<void> {
  const gone = join(folder, `${name}${GONE}`)
  await rm(gone, { recursive: true, force: true })
  await rename(join(folder, name), gone).catch(() => undefined)
  await rm(gone, { recursive: true, force: true })
}

/** What copies there are, complete or not. Leftovers are removed on the way. */
async function entries(folder: string): Promise<Found[]> {
  const found: Found[] = []
  for (const name of await readdir(folder)) {
    if (name.endsWith(GONE)) await rm(join(folder, name), { recursive: true, force: true })
    else if (name.endsWith(PARTIAL)) {
      const usedMs = await dropAbandoned(join(folder, name))
      if (usedMs !== undefined) {
        found.push({ name, of: '', bytes: await sizeBelow(join(folder, name)), usedMs })
      }
    } else {
      const file = join(folder, name, ENTRY_FILE)
      const entry = await readEntry(file)
      const used = await stat(file).catch(() => undefined)
      if (entry !== undefined && used !== undefined) {
        found.push({ ...entry, name, usedMs: used.mtimeMs })
      }
    }
  }
  return found
}

/** Returns when a download that is not complete was gone on with; undefined where it is gone. */
async function dropAbandoned(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || found.mtimeMs >= Date.now() - ABANDONED_MS) return found?.mtimeMs
  await rm(path, { recursive: true, force: true })
  return undefined
}

async function sizeBelow(folder: string): Promise<number> {
  let bytes = 0
  const below = { recursive: true, withFileTypes: true } as const
  for (const one of await readdir(folder, below).catch(() => [])) {
    if (!one.isFile()) continue
    bytes += (await stat(join(one.parentPath, one.name)).catch(() => undefined))?.size ?? 0
  }
  return bytes
}

function isDownloading(room: Room, name: string): boolean {
  return name.endsWith(PARTIAL) && isHeld(room, name)
}

function isHeld({ held }: Room, name: string): boolean {
  return held(name.endsWith(PARTIAL) ? name.slice(0, -PARTIAL.length) : name)
}

export async function readEntry(file: string): Promise<CacheEntry | undefined> {
  try {
    const entry = JSON.parse(await readFile(file, 'utf8')) as Partial<CacheEntry>
    const { of, bytes } = entry
    return typeof of === 'string' && typeof bytes === 'number' ? { of, bytes } : undefined
  } catch {
    return undefined
  }
}
