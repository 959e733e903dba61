import { ServerError } from '../../core/errors.ts'
import type { ModelStore } from '../../core/platform.ts'

/** Files of one folder that are verified; a Python environment has some ten thousand. */
export const MAX_FOLDER_FILES = 200_000

/** Paths of all files at or below `path`. Throws INVALID_ARG where there are too many. */
export async function filesBelow(
  store: ModelStore,
  path: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  if ((await store.stat(path, signal))?.kind === 'file') return [path]
  const files: string[] = []
  const folders = [path]
  let seen = 0
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await store.list(folder, signal)) {
      if (++seen > MAX_FOLDER_FILES) {
        throw new ServerError(
          'INVALID_ARG',
          `'${path}' of '${store.root}' holds more than ${MAX_FOLDER_FILES} files`,
        )
      }
      if (entry.kind === 'directory') folders.push(entry.path)
      else files.push(entry.path)
    }
  }
  return files
}
