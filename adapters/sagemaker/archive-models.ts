import { parseConfig } from '../../core/config/pbtxt-parser.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import { safeName } from '../../core/paths.ts'
import type { Archive } from './types.ts'

/** Models of one archive at most: an ensemble and what it is made of. */
export const MAX_ARCHIVE_MODELS = 64
const CONFIG_FILE = 'config.pbtxt'

/** The models that an archive holds. */
export interface ArchiveModels {
  /** Folder of the one that answers. */
  readonly main: string
  /** Folders of those it is made of, by their names in the archive. */
  readonly parts: ReadonlyMap<string, string>
}

/**
 * Finds the model of an archive: its folder may be the model itself, hold one model, or hold an ensemble with the models it
 * is made of. Throws INVALID_ARG when none of it is so.
 */
export async function archiveModels({ store, folder }: Archive): Promise<ArchiveModels> {
  if ((await store.stat(folder))?.kind !== 'directory') {
    throw new ServerError(
      'INVALID_ARG',
      `failed to register '${store.root}/${folder}', repository not found`,
    )
  }
  if ((await store.stat(`${folder}/${CONFIG_FILE}`)) !== undefined) {
    return { main: folder, parts: new Map() }
  }
  const folders = new Map<string, string>()
  for (const { path, kind } of await store.list(folder)) {
    if (kind !== 'directory') continue
    if (folders.size >= MAX_ARCHIVE_MODELS) {
      throw new ServerError(
        'INVALID_ARG',
        `'${store.root}/${folder}' holds more than ${MAX_ARCHIVE_MODELS} models`,
      )
    }
    folders.set(safeName(path.slice(folder.length + 1), 'model name'), path)
  }
  const name = folders.size === 1 ? [...folders.keys()][0] : await outermost(store, folders)
  const main = name === undefined ? undefined : folders.get(name)
  if (name === undefined || main === undefined) {
    throw new ServerError(
      'INVALID_ARG',
      `'${store.root}/${folder}' holds ${folders.size} models, expected one, or one ensemble with the models it is made of`,
    )
  }
  folders.delete(name)
  return { main, parts: folders }
}

/** The one ensemble that no other is made of; undefined where there is not one. */
async function outermost(
  store: Archive['store'],
  folders: ReadonlyMap<string, string>,
): Promise<string | undefined> {
  const ensembles = new Map<string, readonly string[]>()
  for (const [name, path] of folders) {
    const config = await configAt(store, `${path}/${CONFIG_FILE}`)
    const steps = config?.ensemble_scheduling?.step
    if (steps !== undefined)
      ensembles.set(
        name,
        steps.map((step) => step.model_name ?? ''),
      )
  }
  const inner = new Set([...ensembles.values()].flat())
  const outer = [...ensembles.keys()].filter((name) => !inner.has(name))
  return outer.length === 1 ? outer[0] : undefined
}

/** Undefined where there is none, or none that can be read: the load says what is wrong with it. */
async function configAt(store: Archive['store'], path: string): Promise<ModelConfig | undefined> {
  if ((await store.stat(path))?.kind !== 'file') return undefined
  try {
    return parseConfig(new TextDecoder().decode(await store.read(path)), { file: path })
  } catch {
    return undefined
  }
}
