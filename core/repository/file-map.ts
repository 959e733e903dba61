import { ServerError } from '../errors.ts'
import type { ModelStore, StoreEntry, StoreStat } from '../platform.ts'

/**
 * A store over files in memory: `files` maps paths below the root to contents. The map may change between calls (the
 * tags follow the contents' identity), folders are there as long as a file is in them.
 */
export function fileMapStore(options: {
  readonly root: string
  readonly files: ReadonlyMap<string, Uint8Array>
}): ModelStore {
  const { root, files } = options
  const tags = new WeakMap<Uint8Array, string>()
  let nextTag = 1

  function tagOf(content: Uint8Array): string {
    let tag = tags.get(content)
    if (tag === undefined) {
      tag = `${nextTag++}-${content.length}`
      tags.set(content, tag)
    }
    return tag
  }

  async function list(path: string): Promise<readonly StoreEntry[]> {
    const prefix = path === '' ? '' : `${path}/`
    const found = new Map<string, StoreEntry>()
    for (const file of files.keys()) {
      if (!file.startsWith(prefix)) continue
      const slash = file.indexOf('/', prefix.length)
      const child = slash === -1 ? file : file.slice(0, slash)
      found.set(child, { path: child, kind: slash === -1 ? 'file' : 'directory' })
    }
    return [...found.values()]
  }

  async function stat(path: string): Promise<StoreStat | undefined> {
    const content = files.get(path)
    if (content !== undefined) {
      return { kind: 'file', size: content.length, tag: tagOf(content) }
    }
    if (path !== '' && (await list(path)).length === 0) return undefined
    return { kind: 'directory', size: 0, tag: '' }
  }

  async function read(path: string): Promise<Uint8Array> {
    const content = files.get(path)
    if (content === undefined) throw new ServerError('NOT_FOUND', `no file '${path}' in ${root}`)
    return content
  }

  return { root, list, read, stat }
}
