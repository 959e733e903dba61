import { createReadStream } from 'node:fs'
import { copyFile, mkdir, open, realpath, stat, symlink } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { createGunzip } from 'node:zlib'
import { type TarEntry, tarEntries } from './tar-entries.ts'

/** What an archive may hold: entries, bytes, and bytes for each byte of the archive where they are more than the floor. */
export const MAX_ENTRIES = 500_000
export const MAX_UNPACKED_BYTES: number = 64 * 1024 ** 3
export const MAX_RATIO = 100
export const RATIO_FLOOR_BYTES: number = 256 * 1024 ** 2

export interface UnpackLimits {
  readonly entries?: number
  readonly bytes?: number
  readonly ratio?: number
  readonly ratioFloorBytes?: number
}

/**
 * Unpacks a tar archive, compressed by gzip or not at all, into the empty folder `to`. Refuses what could write or lead outside of
 * it: names with `..`, absolute ones, links that leave, files behind links, devices; and what is out of proportion. What was
 * written before stays for the caller to remove.
 */
export async function unpack(
  archive: string,
  to: string,
  limits: UnpackLimits = {},
): Promise<void> {
  const { entries: most = MAX_ENTRIES, bytes: mostBytes = MAX_UNPACKED_BYTES } = limits
  const packed = (await stat(archive)).size
  const floor = limits.ratioFloorBytes ?? RATIO_FLOOR_BYTES
  const room = Math.min(mostBytes, Math.max(floor, packed * (limits.ratio ?? MAX_RATIO)))
  const stream = createReadStream(archive)
  const links = new Set<string>()
  let entries = 0
  let left = room
  const target = new Target(to, links)
  try {
    const source = (await isGzip(archive)) ? stream.pipe(createGunzip()) : stream
    stream.on('error', (error) => source.destroy(error))
    for await (const entry of tarEntries(source)) {
      if (++entries > most) throw new Error(`it has more than ${most} entries`)
      if (entry.kind === 'file') left -= entry.bytes
      if (left < 0) throw new Error(`unpacked it has more than ${room} bytes`)
      await target.add(entry)
    }
  } finally {
    stream.destroy()
  }
  await target.check()
}

class Target {
  readonly #root: string
  readonly #links: Set<string>

  constructor(root: string, links: Set<string>) {
    this.#root = root
    this.#links = links
  }

  async add(entry: TarEntry): Promise<void> {
    if (entry.name.split('/').includes('..')) {
      throw new Error(`'${shown(entry.name)}' leads out of the archive`)
    }
    const name = inside(entry.name, '')
    if (name === '') return
    this.#refuseBehindLink(name)
    const path = join(this.#root, name)
    switch (entry.kind) {
      case 'folder':
        await mkdir(path, { recursive: true, mode: 0o755 })
        break
      case 'file':
        await mkdir(dirname(path), { recursive: true, mode: 0o755 })
        await writeEntry(path, entry)
        break
      case 'link':
        inside(entry.target, dirname(name) === '.' ? '' : dirname(name))
        await mkdir(dirname(path), { recursive: true, mode: 0o755 })
        await symlink(entry.target, path)
        this.#links.add(name)
        break
      case 'hard link': {
        const other = inside(entry.target, '')
        this.#refuseBehindLink(other)
        if (this.#links.has(other)) throw new Error(`'${shown(entry.name)}' is a link to a link`)
        await mkdir(dirname(path), { recursive: true, mode: 0o755 })
        await copyFile(join(this.#root, other), path)
        break
      }
      default:
        throw new Error(`'${shown(entry.name)}' is neither a file nor a folder nor a link`)
    }
  }

  /** Links through links can lead elsewhere than their names say. */
  async check(): Promise<void> {
    const root = await realpath(this.#root)
    for (const name of this.#links) {
      const real = await realpath(join(this.#root, name)).catch(() => root)
      if (real !== root && !real.startsWith(root + sep)) {
        throw new Error(`link '${shown(name)}' leads out of the archive`)
      }
    }
  }

  #refuseBehindLink(name: string): void {
    for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) {
      if (this.#links.has(name.slice(0, at))) throw new Error(`'${shown(name)}' is behind a link`)
    }
  }
}

async function writeEntry(path: string, { mode, data }: TarEntry): Promise<void> {
  // Never over something that is there: it could be a link.
  const file = await open(path, 'wx', (mode & 0o111) === 0 ? 0o644 : 0o755)
  try {
    for await (const part of data) await file.writeFile(part)
  } finally {
    await file.close()
  }
}

/** `name`, seen from folder `from`, as a path below the root ('' = the root). Throws where it is not below it. */
function inside(name: string, from: string): string {
  if (name.startsWith('/')) throw new Error(`'${shown(name)}' is an absolute path`)
  if (name.includes('\0') || name.includes('\\')) throw new Error(`'${shown(name)}' is no path`)
  const path = from === '' ? [] : from.split('/')
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') path.push(part)
    else if (path.pop() === undefined) throw new Error(`'${shown(name)}' leads out of the archive`)
  }
  return path.join('/')
}

function shown(name: string): string {
  return name.slice(0, 120)
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0)
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
  } finally {
    await file.close()
  }
}
