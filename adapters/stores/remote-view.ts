import { ServerError } from '../../core/errors.ts'
import type { ModelStore, StoreEntry } from '../../core/platform.ts'
import { ReplacedError } from '../../core/repository/replaced.ts'
import { contentOf } from './content.ts'
import type {
  CopyRequest,
  LocalCopies,
  RemoteFile,
  RemoteFiles,
  RemoteListing,
} from './remote-types.ts'

/** Whole reads of one file that arrived damaged. */
const MAX_READS = 3

export interface RemoteViewOptions {
  readonly files: RemoteFiles
  readonly listing: RemoteListing
  /** Absent = contents are read into memory only. */
  readonly local?: LocalCopies | undefined
}

/** What `listing` says, as a store that never changes. Only contents are fetched, those that were listed or none. */
export function remoteView(options: RemoteViewOptions): ModelStore {
  const { files, local } = options
  const { root } = files
  const { folders, byPath } = index(options.listing)
  /** Folder or file that was copied → where its copy lies. */
  const copies = new Map<string, string>()

  function notFound(path: string): ServerError {
    return new ServerError('NOT_FOUND', `no file '${path}' in '${root}'`)
  }

  /** The local path of what is at `path`, where it is part of something that was copied. */
  function copyOf(path: string): string | undefined {
    if (local === undefined) return undefined
    const own = copies.get(path)
    if (own !== undefined) return byPath.has(path) ? local.join(own, nameOf(path)) : own
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const folder = copies.get(path.slice(0, end))
      if (folder !== undefined) return local.join(folder, path.slice(end + 1))
    }
    return undefined
  }

  async function copy(store: LocalCopies, path: string, signal?: AbortSignal): Promise<() => void> {
    const wanted = contentsOf(path)
    const copied = await store.bring({ from: files, path, files: wanted, signal })
    try {
      if (copied.downloaded) await checkStill(path, wanted, signal)
    } catch (error) {
      copied.release()
      throw error
    }
    copies.set(path, copied.folder)
    return copied.release
  }

  function contentsOf(path: string): CopyRequest['files'] {
    const alone = byPath.get(path)
    if (alone !== undefined) return [{ at: nameOf(path), file: alone }]
    const below: { at: string; file: RemoteFile }[] = []
    for (const file of byPath.values()) {
      if (file.path.startsWith(`${path}/`))
        below.push({ at: file.path.slice(path.length + 1), file })
    }
    return below
  }

  /** That each file is the one of the listing is not all: while one came, the next may have been replaced. */
  async function checkStill(
    path: string,
    wanted: CopyRequest['files'],
    signal?: AbortSignal,
  ): Promise<void> {
    const now = new Map((await files.list(path, signal)).files.map((file) => [file.path, file.tag]))
    const same = wanted.every(({ file }) => now.get(file.path) === file.tag)
    if (!same || now.size !== wanted.length) throw new ReplacedError(path)
  }

  return {
    root,
    list: async (path) => folders.get(path) ?? [],
    async stat(path) {
      const file = byPath.get(path)
      if (file !== undefined) return { kind: 'file', size: file.size, tag: file.tag }
      return folders.has(path) ? { kind: 'directory', size: 0, tag: '' } : undefined
    },
    async read(path, signal) {
      const file = byPath.get(path)
      if (file === undefined) throw notFound(path)
      const copied = copyOf(path)
      if (copied !== undefined && local !== undefined) return local.read(copied, signal)
      return readWhole(files, file, signal)
    },
    ...(local !== undefined && {
      async localPath(path: string, signal?: AbortSignal): Promise<string> {
        if (!byPath.has(path) && !folders.has(path)) throw notFound(path)
        // What is asked for by itself stays as long as this process: nobody says when it is done with.
        if (copyOf(path) === undefined) await copy(local, path, signal)
        return copyOf(path) ?? ''
      },
      localise: (path: string, signal?: AbortSignal) => copy(local, path, signal),
    }),
  }
}

async function readWhole(
  files: RemoteFiles,
  file: RemoteFile,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  for (let read = 1; ; read++) {
    const content = new Uint8Array(file.size)
    let offset = 0
    try {
      for await (const chunk of contentOf(files, file, signal)) {
        content.set(chunk, offset)
        offset += chunk.length
      }
      if (file.sha256 !== undefined && (await sha256(content)) !== file.sha256) {
        throw new ReplacedError(file.path)
      }
      return content
    } catch (error) {
      if (error instanceof ReplacedError || offset < file.size || read === MAX_READS) throw error
    }
  }
}

async function sha256(content: Uint8Array<ArrayBuffer>): Promise<string> {
  let text = ''
  for (const byte of new Uint8Array(await crypto.subtle.digest('SHA-256', content))) {
    text += byte.toString(16).padStart(2, '0')
  }
  return text
}

/** Children by folder, files by path. A name that is both a file and a folder is the folder, as on S3's own pages. */
function index({ files, folders: empty }: RemoteListing): {
  readonly folders: ReadonlyMap<string, readonly StoreEntry[]>
  readonly byPath: ReadonlyMap<string, RemoteFile>
} {
  const folders = new Map<string, StoreEntry[]>()
  const open = (path: string): StoreEntry[] => {
    let children = folders.get(path)
    if (children !== undefined) return children
    children = []
    folders.set(path, children)
    if (path !== '') open(parentOf(path)).push({ path, kind: 'directory' })
    return children
  }
  for (const path of empty) open(path)
  for (const { path } of files) open(parentOf(path))
  const byPath = new Map<string, RemoteFile>()
  for (const file of files) {
    if (folders.has(file.path) || byPath.has(file.path)) continue
    byPath.set(file.path, file)
    open(parentOf(file.path)).push({ path: file.path, kind: 'file' })
  }
  return { folders, byPath }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
