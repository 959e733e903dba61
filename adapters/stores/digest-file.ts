import { readFile, stat } from 'node:fs/promises'
import { messageOf, ServerError } from '../../core/errors.ts'

/** Longest `--model-digest-file` that is read, in bytes. */
export const MAX_DIGEST_FILE_BYTES: number = 64 * 1024 * 1024
/** Files that it may list. */
export const MAX_DIGESTS = 500_000

/** What the files of models have to be. */
export interface ModelDigests {
  /**
   * Throws INVALID_ARG that names the file where `path` of the repository `root` may not have the content with this SHA-256
   * (lower-case hexadecimal), or where the list cannot be read: then nothing may be loaded.
   */
  check(root: string, path: string, sha256: string): Promise<void>
}

/** By digest, where in a repository a file with it may be. */
type Listed = ReadonlyMap<string, readonly string[]>

/** `sha256sum`'s lines; one that begins with a backslash has such and line ends of the name escaped. */
const LINE = /^(\\?)([0-9a-fA-F]{64}) [ *](.+)$/

/**
 * What `sha256sum` wrote of a repository's files. It is read again when it changed. A name counts from its end: what lies
 * before the path below the repository's root is where `sha256sum` was run, and nobody's business here.
 */
export async function digestFile(file: string): Promise<ModelDigests> {
  let known: { readonly tag: string; readonly listed: Promise<Listed> } | undefined

  async function listed(): Promise<Listed> {
    const tag = await tagOf(file)
    if (known?.tag !== tag) known = { tag, listed: readDigests(file) }
    return known.listed
  }

  await listed()
  return {
    async check(root, path, sha256) {
      const names = (await listed()).get(sha256) ?? []
      if (names.some((name) => name === path || name.endsWith(`/${path}`))) return
      throw new ServerError(
        'INVALID_ARG',
        `'${path}' of '${root}' is not as '${file}' lists it (--model-digest-file): its SHA-256 is ${sha256}`,
      )
    },
  }
}

async function tagOf(file: string): Promise<string> {
  try {
    const { mtimeNs, size, ino } = await stat(file, { bigint: true })
    if (size > MAX_DIGEST_FILE_BYTES) throw new Error(`longer than ${MAX_DIGEST_FILE_BYTES} bytes`)
    return `${mtimeNs}-${size}-${ino}`
  } catch (error) {
    throw unusable(file, messageOf(error), error)
  }
}

async function readDigests(file: string): Promise<Listed> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw unusable(file, messageOf(error), error)
  }
  return parseDigests(text, file)
}

/** Throws INVALID_ARG that names the line which is none of `sha256sum`'s. */
export function parseDigests(text: string, file: string): Listed {
  const listed = new Map<string, string[]>()
  const lines = text.split('\n')
  if (lines.length > MAX_DIGESTS) throw unusable(file, `it has more than ${MAX_DIGESTS} lines`)
  for (const [i, line] of lines.entries()) {
    const trimmed = line.endsWith('\r') ? line.slice(0, -1) : line
    if (trimmed === '') continue
    const [, escaped, digest = '', name = ''] = LINE.exec(trimmed) ?? []
    if (digest === '') throw unusable(file, `line ${i + 1} is no line of sha256sum`)
    const path = escaped === '' ? name : unescaped(name)
    const key = digest.toLowerCase()
    const paths = listed.get(key)
    if (paths === undefined) listed.set(key, [path])
    else paths.push(path)
  }
  return listed
}

function unescaped(name: string): string {
  return name.replace(/\\([\\nr])/g, (_, c: string) => (c === 'n' ? '\n' : c === 'r' ? '\r' : c))
}

function unusable(file: string, why: string, cause?: unknown): ServerError {
  return new ServerError('INVALID_ARG', `cannot use --model-digest-file '${file}': ${why}`, {
    cause,
  })
}
