import { messageOf, ServerError } from '../../core/errors.ts'
import { safeJoin } from '../../core/paths.ts'
import type { RemoteFile, RemoteListing } from './remote-types.ts'

/** In the root of a repository that is served by a plain web server: says what there is. */
export const MANIFEST_FILE = 'repository.json'
/** Longest manifest that is read, in bytes. */
export const MAX_MANIFEST_BYTES: number = 64 * 1024 * 1024
/** Files that one manifest may list. */
export const MAX_MANIFEST_FILES = 200_000

/** How {@link MANIFEST_FILE} reads. */
export interface Manifest {
  readonly version: 1
  /** By path below the root. */
  readonly files: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>
  /** Folders without files, such as the version of an ensemble. */
  readonly folders?: readonly string[]
}

/** Throws INVALID_ARG that says what is wrong with `text`, which came from `url`. */
export function parseManifest(text: string, url: string): RemoteListing {
  const fail = (why: string): never => {
    throw new ServerError('INVALID_ARG', `cannot use manifest '${url}': ${why}`)
  }
  const manifest = record(parseJson(text, fail)) ?? fail('it is no JSON object')
  if (manifest['version'] !== 1) fail(`its version must be 1, got ${shown(manifest['version'])}`)
  const listed = record(manifest['files']) ?? fail("it has no object 'files'")
  const paths = Object.keys(listed)
  const folders = manifest['folders'] ?? []
  if (!Array.isArray(folders)) return fail("'folders' must be a list")
  if (paths.length + folders.length > MAX_MANIFEST_FILES) {
    fail(`it lists more than ${MAX_MANIFEST_FILES} files`)
  }
  const safe = (path: unknown): string => {
    try {
      return typeof path === 'string' ? safeJoin('', path) : fail("'folders' must hold paths")
    } catch (error) {
      return fail(messageOf(error))
    }
  }
  const files = paths.map((path): RemoteFile => {
    const { size, sha256 } = record(listed[path]) ?? {}
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      return fail(`size of '${path}' must be a number of bytes, got ${shown(size)}`)
    }
    if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) {
      return fail(`sha256 of '${path}' must be 64 hexadecimal digits, got ${shown(sha256)}`)
    }
    return { path: safe(path), size, tag: sha256, sha256 }
  })
  // A repository without models is one, too.
  return { files, folders: ['', ...folders.map(safe)] }
}

function parseJson(text: string, fail: (why: string) => never): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    return fail(messageOf(error))
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return value as Readonly<Record<string, unknown>>
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80)
}
