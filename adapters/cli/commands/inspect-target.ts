import { statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { FRAMEWORKS } from '../../../core/config/infer-backend.ts'
import { configOfFile, MODEL_FILE_ENDINGS } from '../../../core/config/model-file.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import { parseVersion } from '../../../core/repository/versions.ts'
import { MisuseError } from './arguments.ts'

/** What is to be inspected: a model in a repository, or a file that is none yet. */
export type InspectTarget =
  | { readonly kind: 'model'; readonly repository: string; readonly name: string }
  | {
      readonly kind: 'file'
      /** The folder it lies in: what a version's folder would be. */
      readonly folder: string
      /** File, or a SavedModel's folder. */
      readonly file: string
      readonly config: ModelConfig
    }

/** Folders that a SavedModel is told by. */
const SAVED_MODEL = 'saved_model.pb'
/** Models that a message names. */
const SHOWN_MODELS = 5

/** Finds out what `path` is. Throws MisuseError that says what it is not, and what would be. */
export async function inspectTarget(path: string): Promise<InspectTarget> {
  const full = resolve(path)
  const stat = statSync(full, { throwIfNoEntry: false })
  if (stat === undefined) throw new MisuseError(`there is no file or folder ${path}`)
  if (stat.isFile()) return fileTarget(full)
  const entries = (await readdir(full, { withFileTypes: true })).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )
  const names = entries.map(({ name }) => name)
  const isFolder = (name: string): boolean =>
    statSync(join(full, name), { throwIfNoEntry: false })?.isDirectory() === true
  const versions = names.filter((name) => parseVersion(name) !== undefined && isFolder(name))
  if (names.includes('config.pbtxt') || versions.length > 0) {
    return { kind: 'model', repository: dirname(full), name: basename(full) }
  }
  if (names.includes(SAVED_MODEL)) return fileTarget(full, '.savedmodel')
  const known = FRAMEWORKS.find(({ file }) => names.includes(file))
  if (known !== undefined) return fileTarget(join(full, known.file))
  const models = names.filter((name) => isFolder(name) && looksLikeModel(join(full, name)))
  if (models.length > 0) {
    const shown = models.slice(0, SHOWN_MODELS).map((name) => join(path, name))
    throw new MisuseError(
      `${path} is a repository of ${models.length} models: name one of them (${shown.join(', ')}${models.length > SHOWN_MODELS ? ', …' : ''}), or run 'nereid check ${path}'`,
    )
  }
  throw new MisuseError(
    `${path} is no model: it has no config.pbtxt, no version folder (1) and no file that is called as models are (${FRAMEWORKS.map(({ file }) => file).join(', ')})`,
  )
}

function fileTarget(full: string, ending = ''): InspectTarget {
  const file = basename(full)
  const config = configOfFile(`${file}${ending}`)
  if (config === undefined) {
    throw new MisuseError(
      `${full} is no kind of model that this server knows: names of such end with ${MODEL_FILE_ENDINGS.join(', ')}`,
    )
  }
  return {
    kind: 'file',
    folder: dirname(full),
    file,
    config: { ...config, default_model_filename: file },
  }
}

function looksLikeModel(folder: string): boolean {
  const has = (name: string): boolean =>
    statSync(join(folder, name), { throwIfNoEntry: false }) !== undefined
  return has('config.pbtxt') || has('1')
}
