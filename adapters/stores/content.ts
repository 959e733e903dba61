import { messageOf, ServerError } from '../../core/errors.ts'
import { ReplacedError, UnreachableError } from '../../core/repository/replaced.ts'
import type { RemoteFile, RemoteFiles } from './remote-types.ts'

/** How often reading one file is taken up again where it broke off. */
export const MAX_RESUMES = 5
/** A connection on which nothing comes for so long is given up. */
export const STALL_MS = 30_000
/** Before the first new try; each further one waits twice as long. */
const BACKOFF_MS = 100

/**
 * The content of `file`, to the byte as long as its listing says. Connections that break or stall are replaced; what ends
 * otherwise is a `ServerError`, or the signal's reason.
 */
export async function* contentOf(
  files: RemoteFiles,
  file: RemoteFile,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let offset = 0
  for (let failures = 0; ; ) {
    const stall = stallWatch(signal)
    try {
      for await (const chunk of await files.open(file, offset, stall.signal)) {
        stall.stop()
        offset += chunk.length
        if (offset > file.size) throw new ReplacedError(file.path)
        yield chunk
        stall.restart()
      }
      if (offset === file.size) return
      throw new Error('the connection ended early')
    } catch (error) {
      signal?.throwIfAborted()
      // All bytes came and still it failed: a checksum. Trying again is for who can forget what it has.
      if (!isTransient(error) || offset === file.size || ++failures > MAX_RESUMES) {
        throw explain(error, files, file, offset)
      }
      await pause(BACKOFF_MS * 2 ** failures, signal)
    } finally {
      stall.stop()
    }
  }
}

/** Waits; throws the signal's reason when that fires before. */
export function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, delayMs)
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}

function isTransient(error: unknown): boolean {
  return !(error instanceof ServerError) || error instanceof UnreachableError
}

function explain(error: unknown, files: RemoteFiles, file: RemoteFile, offset: number): Error {
  if (error instanceof ServerError) return error
  return new UnreachableError(
    `reading '${files.root}/${file.path}' failed after ${offset} of ${file.size} bytes: ${messageOf(error)}`,
    { cause: error },
  )
}

interface StallWatch {
  /** Fires when nothing came for {@link STALL_MS}, or with the caller's signal. */
  readonly signal: AbortSignal
  restart(): void
  stop(): void
}

function stallWatch(signal: AbortSignal | undefined): StallWatch {
  const abort = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const restart = (): void => {
    timer = setTimeout(
      () => abort.abort(new Error(`nothing came for ${STALL_MS / 1000} s`)),
      STALL_MS,
    )
  }
  restart()
  return {
    signal: signal === undefined ? abort.signal : AbortSignal.any([signal, abort.signal]),
    restart,
    stop: () => clearTimeout(timer),
  }
}
