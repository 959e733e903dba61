import type { ModelSource } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import { safeJoin } from '../../core/paths.ts'

export const NEFF_FILENAME = 'model.neff'
/** Shapes that one model may be compiled for. */
export const MAX_NEFFS = 64

/**
 * Paths in the store of a version's NEFF, or of all in a folder of that name: the same model compiled for several shapes.
 */
export async function findNeffs(source: ModelSource, signal?: AbortSignal): Promise<string[]> {
  const { store, name, config } = source
  const path = safeJoin(source.versionPath, config.default_model_filename || NEFF_FILENAME)
  const stat = await store.stat(path, signal)
  if (stat?.kind === 'file') return [path]
  const found =
    stat === undefined
      ? []
      : (await store.list(path, signal))
          .filter((entry) => entry.kind === 'file' && entry.path.endsWith('.neff'))
          .map((entry) => entry.path)
          .sort()
  if (found.length === 0) {
    throw new ServerError(
      'UNAVAILABLE',
      `unable to find '${store.root}/${path}' for model instance '${name}'`,
    )
  }
  if (found.length > MAX_NEFFS) {
    throw new ServerError(
      'INVALID_ARG',
      `model '${name}' has ${found.length} NEFF files, the limit is ${MAX_NEFFS}`,
    )
  }
  return found
}
