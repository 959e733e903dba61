import { messageOf, ServerError } from '../../core/errors.ts'
import { ReplacedError, UnreachableError } from '../../core/repository/replaced.ts'
import { pause } from './content.ts'
import { MANIFEST_FILE, MAX_MANIFEST_BYTES, parseManifest } from './manifest-format.ts'
import type { RemoteFiles, RemoteListing } from './remote-types.ts'

/** Tries to get the manifest, and the pause between them, which grows. */
const MAX_ATTEMPTS = 4
const BACKOFF_MS = 200
/** A manifest that has not come in so long comes no more. */
const MANIFEST_MS = 30_000

export interface ManifestFilesOptions {
  /** `https://host/path`, where the manifest lies. */
  readonly root: string
  /** Default: the global one. */
  readonly fetch?: typeof fetch
}

/**
 * A read-only repository on any web server: files beside a manifest that has their sizes and digests. Runs wherever there is
 * `fetch`. Redirects are not followed: nobody but the owner of the command line says where models come from.
 */
export function manifestFiles(options: ManifestFilesOptions): RemoteFiles {
  const root = checkedRoot(options.root)
  const get = options.fetch ?? ((url, init) => fetch(url, init))
  const manifestUrl = `${root}/${MANIFEST_FILE}`

  async function fetchText(signal: AbortSignal | undefined): Promise<string> {
    const limit = AbortSignal.timeout(MANIFEST_MS)
    const answer = await get(manifestUrl, {
      redirect: 'error',
      // Asks whether it changed; an answer without a body is the one from before.
      cache: 'no-cache',
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    })
    if (!answer.ok) {
      await answer.body?.cancel()
      throw refused(manifestUrl, answer.status)
    }
    return boundedText(answer, manifestUrl)
  }

  async function manifest(signal?: AbortSignal): Promise<RemoteListing> {
    for (let attempt = 1; ; attempt++) {
      try {
        return parseManifest(await fetchText(signal), manifestUrl)
      } catch (error) {
        signal?.throwIfAborted()
        const permanent = error instanceof ServerError && !(error instanceof UnreachableError)
        if (permanent || attempt === MAX_ATTEMPTS) throw unreachable(error, manifestUrl)
        await pause(BACKOFF_MS * 2 ** attempt, signal)
      }
    }
  }

  return {
    root,
    async list(path, signal) {
      const all = await manifest(signal)
      if (path === '') return all
      const below = (one: string): boolean => one === path || one.startsWith(`${path}/`)
      return {
        files: all.files.filter((file) => below(file.path)),
        folders: all.folders.filter(below),
      }
    },
    async open(file, offset, signal) {
      const answer = await get(
        `${root}/${file.path.split('/').map(encodeURIComponent).join('/')}`,
        {
          redirect: 'error',
          cache: 'no-cache',
          signal,
          ...(offset > 0 ? { headers: { range: `bytes=${offset}-` } } : {}),
        },
      )
      if (answer.ok && answer.body !== null) {
        const skip = offset > 0 && answer.status !== 206 ? offset : 0
        return chunksOf(answer.body, skip)
      }
      await answer.body?.cancel()
      if (answer.ok) return noChunks()
      if ([404, 410, 412, 416].includes(answer.status)) throw new ReplacedError(file.path)
      throw refused(`${root}/${file.path}`, answer.status)
    },
    close() {},
  }
}

function checkedRoot(root: string): string {
  const url = URL.canParse(root) ? new URL(root) : undefined
  const plain = url?.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (!plain || !/^https?:$/.test(url.protocol)) {
    throw new ServerError(
      'INVALID_ARG',
      `invalid model repository '${root.replace(/\/\/[^/]*@/, '//…@')}', expected https://host/path without user, query or fragment`,
    )
  }
  return url.href.replace(/\/+$/, '')
}

async function boundedText(answer: Response, url: string): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  if (answer.body === null) return text
  for await (const chunk of chunksOf(answer.body, 0)) {
    bytes += chunk.length
    if (bytes > MAX_MANIFEST_BYTES) {
      throw new ServerError(
        'INVALID_ARG',
        `manifest '${url}' is longer than ${MAX_MANIFEST_BYTES} bytes`,
      )
    }
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** A body without its first `skip` bytes. Not every browser iterates over streams by itself. */
async function* chunksOf(
  body: ReadableStream<Uint8Array>,
  skip: number,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  let left = skip
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const drop = Math.min(left, value.length)
      left -= drop
      if (drop < value.length) yield drop === 0 ? value : value.subarray(drop)
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

async function* noChunks(): AsyncGenerator<Uint8Array> {}

function unreachable(error: unknown, url: string): Error {
  if (error instanceof ServerError) return error
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return new UnreachableError(`cannot read '${url}': ${messageOf(cause)}`, { cause: error })
}

/** Too many requests, and what is the server's own fault, may pass. */
function refused(url: string, status: number): ServerError {
  if (status >= 500 || status === 429) {
    return new UnreachableError(`cannot read '${url}': status ${status}`)
  }
  const why = status === 404 ? ', a repository on a web server needs a manifest' : ''
  return new ServerError('INVALID_ARG', `cannot read '${url}': status ${status}${why}`)
}
