import type { ModelSource } from '../backend/types.ts'
import type { ModelConfig } from '../config/types.ts'
import type { Hash } from '../platform.ts'

const MIB = 1024 * 1024
/** A larger file counts with its place, size and time only: reading it twice would double the load. */
export const MAX_HASHED_FILE_BYTES: number = 256 * MIB
/** Files beyond so many count like large ones. */
export const MAX_HASHED_FILES = 1000

export interface ModelDigestOptions {
  readonly source: Pick<ModelSource, 'name' | 'version' | 'store' | 'versionPath'>
  /** Complete and normalized. */
  readonly config: ModelConfig
  readonly hash: Hash
  readonly signal?: AbortSignal | undefined
}

/** Equal in every process that loaded the same: name, version, config, and what lies in the version's folder. */
export async function modelDigest(options: ModelDigestOptions): Promise<string> {
  const { source, config, hash } = options
  const text = JSON.stringify([source.name, source.version, config, await fileDigests(options)])
  return hash(new TextEncoder().encode(text))
}

/** `[path, size, digest]` of each file below the version's folder. */
async function fileDigests({ source, hash, signal }: ModelDigestOptions): Promise<unknown[]> {
  const { store, versionPath } = source
  const digests: unknown[] = []
  const folders = [versionPath]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = await store.list(folder, signal)
    for (const { path, kind } of [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))) {
      if (kind === 'directory') {
        folders.push(path)
        continue
      }
      const stat = await store.stat(path, signal)
      const size = stat?.size ?? 0
      const short = path.slice(versionPath.length)
      const large = size > MAX_HASHED_FILE_BYTES || digests.length >= MAX_HASHED_FILES
      digests.push([short, size, large ? stat?.tag : hash(await store.read(path, signal))])
    }
  }
  return digests
}
