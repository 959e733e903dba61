import type { ModelSource } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { safeJoin } from '../../../core/paths.ts'

/** A model's code on this machine's disk. */
export interface ModelFiles {
  /** Of the module. */
  readonly path: string
  /** Of the model, with its versions. */
  readonly modelFolder: string
  /** Of the version, where the module is not in it. */
  readonly folder?: string
}

/**
 * Finds the model's module. Code is taken from a repository on this machine only, never from a load request. `runtime` is the
 * module that all models of a backend share.
 */
export async function findModelFiles(
  source: ModelSource,
  fileName: string,
  runtime: string | undefined,
  signal?: AbortSignal,
): Promise<ModelFiles> {
  const { store, name, modelPath, versionPath } = source
  if (store.localPath === undefined) {
    throw new ServerError(
      'UNSUPPORTED',
      `the files of model '${name}' must lie in a repository on this machine's disk`,
    )
  }
  const modelFolder = await store.localPath(modelPath, signal)
  if (runtime !== undefined) {
    return { path: runtime, modelFolder, folder: await store.localPath(versionPath, signal) }
  }
  const path = safeJoin(versionPath, source.config.default_model_filename || fileName)
  if ((await store.stat(path, signal))?.kind !== 'file') {
    throw new ServerError(
      'UNAVAILABLE',
      `unable to find '${store.root}/${path}' for model '${name}'`,
    )
  }
  return { path: await store.localPath(path, signal), modelFolder }
}
