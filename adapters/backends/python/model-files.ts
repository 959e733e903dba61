import { join } from 'node:path'
import type { ModelSource } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { safeJoin } from '../../../core/paths.ts'
import { copyModel } from './model-copy.ts'

/** With `true`, code may come with a load request: who may load models may then run anything here. Default `false`. */
const LOADED_CODE_FLAG = 'allow-loaded-code'

/** A model's code on this machine's disk. */
export interface ModelFiles {
  /** Of the module. */
  readonly path: string
  /** Of the model, with its versions. */
  readonly modelFolder: string
  /** Of the version, where the module is not in it. */
  readonly folder?: string
  /** Removes what was copied. Idempotent. */
  close(): Promise<void>
}

export interface FindOptions {
  readonly fileName: string
  /** The module that all models of a backend share; undefined = each has its own. */
  readonly runtime: string | undefined
  readonly flags: ReadonlyMap<string, string>
  readonly signal?: AbortSignal | undefined
}

/** Finds the model's module. Code is taken from a load request only where a flag allows it. */
export async function findModelFiles(
  source: ModelSource,
  { fileName, runtime, flags, signal }: FindOptions,
): Promise<ModelFiles> {
  const { store, name, modelPath, versionPath } = source
  const path = safeJoin(versionPath, source.config.default_model_filename || fileName)
  if (runtime === undefined && (await store.stat(path, signal))?.kind !== 'file') {
    throw new ServerError(
      'UNAVAILABLE',
      `unable to find '${store.root}/${path}' for model '${name}'`,
    )
  }
  const local = store.localPath?.bind(store)
  if (local === undefined) {
    if (flags.get(LOADED_CODE_FLAG) !== 'true') {
      throw new ServerError(
        'UNSUPPORTED',
        `the files of model '${name}' must lie in a repository on this machine's disk; code in load requests needs --backend-config=python,${LOADED_CODE_FLAG}=true`,
      )
    }
    const { folder: modelFolder, close } = await copyModel(source, signal)
    const below = (whole: string): string => join(modelFolder, whole.slice(modelPath.length))
    if (runtime === undefined) return { path: below(path), modelFolder, close }
    return { path: runtime, modelFolder, folder: below(versionPath), close }
  }
  const modelFolder = await local(modelPath, signal)
  if (runtime === undefined) return { path: await local(path, signal), modelFolder, close: nothing }
  return { path: runtime, modelFolder, folder: await local(versionPath, signal), close: nothing }
}

function nothing(): Promise<void> {
  return Promise.resolve()
}
