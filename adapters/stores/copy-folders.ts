import { readFileSync, readlinkSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { makePrivate } from './private-folder.ts'

/** Folders of this process alone. */
export interface CopyFolders {
  create(): Promise<string>
  remove(folder: string): Promise<void>
  /** Removes them all. Idempotent. */
  close(): Promise<void>
}

/** Folders below `parent`, which is made when it is needed. Those of processes that were killed are removed then. */
export function copyFolders(parent: string): CopyFolders {
  const base = resolve(parent)
  const prefix = `${machine()}-${process.pid}-${startOf(process.pid)}-`
  const made = new Set<string>()
  let ready: Promise<void> | undefined

  async function prepare(): Promise<void> {
    await makePrivate(base)
    for (const name of await readdir(base)) {
      if (isAbandoned(name)) await rm(join(base, name), { recursive: true, force: true })
    }
  }

  const remove = async (folder: string): Promise<void> => {
    await rm(folder, { recursive: true, force: true })
    // Not before: a close waits for what is being removed.
    made.delete(folder)
  }

  return {
    async create() {
      ready ??= prepare()
      await ready
      const folder = await mkdtemp(join(base, prefix))
      made.add(folder)
      return folder
    },
    remove,
    async close() {
      await Promise.all([...made].map(remove))
    },
  }
}

/** Only of processes that this one can see; a folder that containers share may be in use by others. */
function isAbandoned(name: string): boolean {
  const [where, pid = '', start] = name.split('-')
  return where === machine() && startOf(Number(pid)) !== start
}

/** The same for processes that have numbers in common. */
function machine(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)
    return boot + (/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '')
  } catch {
    return 'unknown'
  }
}

/** When a process started; '' where there is none with that number. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in parentheses, may have spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}
