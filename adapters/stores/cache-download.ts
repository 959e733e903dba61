import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Gate } from '../../core/repository/gate.ts'
import { ReplacedError } from '../../core/repository/replaced.ts'
import { contentOf } from './content.ts'
import type { CopyRequest, RemoteFile, RemoteFiles } from './remote-types.ts'

/** Downloads of one file that arrived damaged. */
const MAX_DOWNLOADS = 3

export interface DownloadOptions {
  /** Where the files go. What is there already, and as long as it has to be, stays. */
  readonly into: string
  readonly request: CopyRequest
  readonly gate: Gate
  /** Beside it, for files that are not complete. Names in it are this process's own. */
  readonly unfinished: string
  /** Told of bytes as they come, and of those that turned out to be worth nothing as less than 0. */
  readonly progress: (bytes: number) => void
}

/** Brings every file of `request` to the disk, safely there when this resolves. The first failure ends all. */
export async function downloadAll(options: DownloadOptions): Promise<void> {
  const { into, request, gate } = options
  const abort = new AbortController()
  const signal =
    request.signal === undefined ? abort.signal : AbortSignal.any([request.signal, abort.signal])
  const folders = new Set([into])
  const { unfinished } = options
  for (const { at } of request.files) {
    for (let path = dirname(at); path !== '.'; path = dirname(path)) folders.add(join(into, path))
  }
  for (const folder of [...folders, unfinished]) {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  }
  const jobs = request.files.map(({ at, file }, i) =>
    gate.run(async () => {
      signal.throwIfAborted()
      await downloadOne(options, {
        unfinished: join(unfinished, `${process.pid}-${i}`),
        path: join(into, at),
        file,
        signal,
      })
    }),
  )
  let failure: { readonly error: unknown } | undefined
  for (const job of jobs) {
    job.catch((error: unknown) => {
      failure ??= { error }
      abort.abort(error)
    })
  }
  await Promise.allSettled(jobs)
  if (failure !== undefined) throw failure.error
  for (const folder of folders) await syncFolder(folder)
}

async function downloadOne(
  options: DownloadOptions,
  one: {
    readonly unfinished: string
    readonly path: string
    readonly file: RemoteFile
    readonly signal: AbortSignal
  },
): Promise<void> {
  const { request, progress } = options
  const { unfinished, path, file, signal } = one
  if (await isWhole(path, file.size)) {
    progress(file.size)
    return
  }
  for (let download = 1; ; download++) {
    let written = 0
    const target = await open(
      unfinished,
      constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW,
      0o600,
    )
    try {
      await write(target, request.from, file, signal, (bytes) => {
        written += bytes
        progress(bytes)
      })
      // The name is given to what is safely there: after a power cut a file with this name is whole.
      await target.sync()
      await rename(unfinished, path)
      return
    } catch (error) {
      progress(-written)
      await rm(unfinished, { force: true })
      const damaged = written === file.size && !(error instanceof ReplacedError)
      if (!damaged || download === MAX_DOWNLOADS || signal.aborted) throw error
    } finally {
      await target.close()
    }
  }
}

async function write(
  target: FileHandle,
  from: RemoteFiles,
  file: RemoteFile,
  signal: AbortSignal,
  progress: (bytes: number) => void,
): Promise<void> {
  const hash = file.sha256 === undefined ? undefined : createHash('sha256')
  for await (const chunk of contentOf(from, file, signal)) {
    hash?.update(chunk)
    for (let done = 0; done < chunk.length; ) {
      done += (await target.write(chunk, done)).bytesWritten
    }
    progress(chunk.length)
  }
  if (hash !== undefined && hash.digest('hex') !== file.sha256) throw new ReplacedError(file.path)
}

/** Whether a regular file of that size is there. */
export async function isWhole(path: string, size: number): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  return found?.isFile() === true && found.size === size
}

/** Names in a folder are safe after a power cut when the folder itself was synced. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
