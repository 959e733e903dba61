import { messageOf, ServerError } from '../../core/errors.ts'
import { safeJoin } from '../../core/paths.ts'
import type { Log } from '../../core/platform.ts'
import { ReplacedError, UnreachableError } from '../../core/repository/replaced.ts'
import { pause } from './content.ts'
import { gcsTokens } from './gcs-credentials.ts'
import type { RemoteFile, RemoteFiles, RemoteListing } from './remote-types.ts'

/** Objects of one repository; where there are more it cannot be served. */
export const MAX_OBJECTS = 200_000
/** Tries to get a page of a listing, and the pause between them, which grows. */
const MAX_ATTEMPTS = 4
const BACKOFF_MS = 200
/** A page of a listing that has not come in so long comes no more. */
const LIST_MS = 30_000
const ENDPOINT = 'https://storage.googleapis.com'
const ROOT = /^gs:\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:\/(.*))?$/

export interface GcsFilesOptions {
  /** `gs://bucket/prefix`. */
  readonly root: string
  /** Where credentials and an emulator (`STORAGE_EMULATOR_HOST`) may be named. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Log
  /** Default: the global one. */
  readonly fetch?: typeof fetch
}

interface Page {
  readonly items?: readonly {
    readonly name: string
    readonly size?: string
    readonly generation?: string
    readonly updated?: string
  }[]
  readonly nextPageToken?: string
}

/** The objects of a Google Cloud Storage bucket below a prefix, pinned by their generations. */
export function gcsFiles(options: GcsFilesOptions): RemoteFiles {
  const { env, log } = options
  const get: typeof fetch = options.fetch ?? ((url, init) => fetch(url, init))
  const { root, bucket, prefix } = parseRoot(options.root)
  const base = prefix === '' ? '' : `${prefix}/`
  const tokens = gcsTokens({ root, env, fetch: get })
  const objects = `${endpointOf(env)}/storage/v1/b/${bucket}/o`
  const closing = new AbortController()

  /** Once more with a new token where the one there was is refused: it may have been taken back. */
  async function ask(
    url: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> {
    for (let renewed = false; ; renewed = true) {
      const token = await tokens.token()
      const given = token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` }
      const answer = await get(url, { headers: given, redirect: 'error', signal })
      if (answer.status !== 401 || renewed) return answer
      await answer.body?.cancel()
      tokens.forget()
    }
  }

  async function page(query: URLSearchParams, signal?: AbortSignal): Promise<Page> {
    for (let attempt = 1; ; attempt++) {
      const signals = [closing.signal, AbortSignal.timeout(LIST_MS)]
      const any = AbortSignal.any(signal === undefined ? signals : [signal, ...signals])
      try {
        const answer = await ask(`${objects}?${query}`, {}, any)
        if (answer.ok) return (await answer.json()) as Page
        await answer.body?.cancel()
        throw refused(answer.status, root)
      } catch (error) {
        signal?.throwIfAborted()
        closing.signal.throwIfAborted()
        const permanent = error instanceof ServerError && !(error instanceof UnreachableError)
        if (permanent || attempt === MAX_ATTEMPTS) throw unreachable(error, root)
        await pause(BACKOFF_MS * 2 ** attempt, signal)
      }
    }
  }

  /** Everything whose name begins with `prefix`. */
  async function listBelow(below: string, signal?: AbortSignal): Promise<RemoteListing> {
    const files: RemoteFile[] = []
    const folders: string[] = []
    let pageToken: string | undefined
    let unsafe = 0
    do {
      const query = new URLSearchParams({
        prefix: below,
        fields: 'nextPageToken,items(name,size,generation,updated)',
        ...(pageToken === undefined ? {} : { pageToken }),
      })
      const { items = [], nextPageToken } = await page(query, signal)
      for (const { name, size = '0', generation = '', updated = '' } of items) {
        const key = name.slice(base.length)
        const at = key.endsWith('/') ? key.slice(0, -1) : key
        if (at === '') folders.push('')
        else if (!isSafe(at)) unsafe++
        else if (at !== key) folders.push(at)
        else {
          const modifiedMs = Date.parse(updated) || 0
          files.push({ path: at, size: Number(size), tag: generation, modifiedMs })
        }
      }
      if (files.length + folders.length > MAX_OBJECTS) {
        throw new ServerError(
          'INVALID_ARG',
          `'${root}' has more than ${MAX_OBJECTS} objects, name a prefix that holds models alone`,
        )
      }
      pageToken = nextPageToken
    } while (pageToken !== undefined && pageToken !== '')
    if (unsafe > 0) {
      log.warning(`ignore ${unsafe} objects of '${root}' whose names cannot be paths of files`)
    }
    return { files, folders }
  }

  return {
    root,
    async list(path, signal) {
      if (path === '') {
        const all = await listBelow(base, signal)
        // A bucket is a folder, also an empty one.
        return base === '' ? { ...all, folders: ['', ...all.folders] } : all
      }
      const below = await listBelow(`${base}${path}/`, signal)
      if (below.files.length + below.folders.length > 0) return below
      const { files } = await listBelow(`${base}${path}`, signal)
      return { files: files.filter((file) => file.path === path), folders: [] }
    },
    async open(file, offset, signal) {
      const name = encodeURIComponent(base + file.path)
      const url = `${objects}/${name}?alt=media&generation=${encodeURIComponent(file.tag)}`
      const headers = offset > 0 ? { range: `bytes=${offset}-` } : {}
      const any = AbortSignal.any([signal, closing.signal])
      const answer = await ask(url, headers, any)
      const { status, body } = answer
      if (answer.ok && (offset === 0 || status === 206)) return body ?? noChunks()
      await body?.cancel()
      if ([404, 412, 416].includes(status)) throw new ReplacedError(file.path)
      if (!answer.ok) throw refused(status, `${root}/${file.path}`)
      throw new ServerError(
        'UNSUPPORTED',
        `reading '${file.path}' broke off and the server cannot resume`,
      )
    },
    close: () => closing.abort(new ServerError('UNAVAILABLE', `'${root}' is closed`)),
  }
}

function parseRoot(text: string): { root: string; bucket: string; prefix: string } {
  const root = text.replace(/\/+$/, '')
  const [, bucket, rest = ''] = ROOT.exec(root) ?? []
  if (bucket === undefined) {
    throw new ServerError(
      'INVALID_ARG',
      `invalid model repository '${text}', expected gs://bucket/prefix`,
    )
  }
  const segments = rest.split('/').filter((segment) => segment !== '')
  return { root, bucket, prefix: segments.length === 0 ? '' : safeJoin('', ...segments) }
}

/** As Google's clients take it: with or without a scheme. */
function endpointOf(env: GcsFilesOptions['env']): string {
  const emulator = (env['STORAGE_EMULATOR_HOST'] ?? '').replace(/\/+$/, '')
  if (emulator === '') return ENDPOINT
  return /^https?:\/\//.test(emulator) ? emulator : `http://${emulator}`
}

async function* noChunks(): AsyncGenerator<Uint8Array> {}

function isSafe(path: string): boolean {
  try {
    safeJoin('', path)
    return true
  } catch {
    return false
  }
}

function refused(status: number, where: string): ServerError {
  if (status >= 500 || status === 429 || status === 408) {
    return new UnreachableError(`cannot read '${where}': status ${status}`)
  }
  const why =
    status === 404
      ? 'there is no such bucket'
      : 'access denied, check the credentials (GOOGLE_APPLICATION_CREDENTIALS, TRITON_CLOUD_CREDENTIAL_PATH or the machine’s service account); ' +
        'they need storage.objects.list and storage.objects.get'
  return new ServerError('INVALID_ARG', `cannot read '${where}': ${why} (status ${status})`)
}

function unreachable(error: unknown, root: string): Error {
  if (error instanceof ServerError) return error
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return new UnreachableError(`cannot read '${root}': ${messageOf(cause)}`, { cause: error })
}
