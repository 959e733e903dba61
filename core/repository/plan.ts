import { configFromJson } from '../config/config-json-reader.ts'
import { inferBackend } from '../config/infer-backend.ts'
import { normalizeConfig } from '../config/normalize.ts'
import { MAX_CONFIG_LENGTH, parseConfig } from '../config/pbtxt-parser.ts'
import type { Places } from '../config/place.ts'
import type { ModelConfig } from '../config/types.ts'
import { validatePartialConfig } from '../config/validate.ts'
import { ServerError } from '../errors.ts'
import { safeJoin } from '../paths.ts'
import type { Log, ModelStore } from '../platform.ts'
import type { LoadOverrides } from '../server-types.ts'
import { fileMapStore } from './file-map.ts'
import { CONFIG_FILE, checkInlineFile, MAX_INLINE_FILES, modelPath } from './layout.ts'
import { type ModelFiles, type SnapshotOptions, scanModel, scanPinned } from './snapshot.ts'

/** A model as a load is going to read it: its files and what its configuration says so far. */
export interface ModelPlan {
  readonly name: string
  readonly files: ModelFiles
  /** The user's config; the backend is named, the rest may be incomplete. */
  readonly config: ModelConfig
}

/** Where plans come from. */
export interface PlanOptions extends SnapshotOptions {
  readonly stores: readonly ModelStore[]
  readonly autoComplete: boolean
  readonly log: Log
  /** See {@link CreateServerOptions.guard}. */
  readonly guard?: ((store: ModelStore) => ModelStore) | undefined
}

/** Finds `name` in the repositories. Throws NOT_FOUND where none has it, INVALID_ARG where several have. */
export async function findModel(name: string, options: PlanOptions): Promise<ModelFiles> {
  const found: ModelFiles[] = []
  for (const store of options.stores) {
    const files = await scanPinned(store, name, options)
    if (files !== undefined) found.push(files)
  }
  const [first, second] = found
  if (first === undefined) throw notFound()
  if (second !== undefined) {
    throw new ServerError('INVALID_ARG', 'not unique across all model repositories')
  }
  return first
}

/** What a scan saw of a model, as a load can rely on it: where the store pins folders, as the folder is now. */
export async function pinModel(files: ModelFiles, options: PlanOptions): Promise<ModelFiles> {
  if (files.store.pin === undefined) return files
  const pinned = await scanPinned(files.store, files.name, options)
  if (pinned === undefined) throw notFound()
  return pinned
}

function notFound(): ServerError {
  return new ServerError('NOT_FOUND', 'model not found in any model repository')
}

/** The folder of a load request that brings files: nothing but those files is in it. Throws INVALID_ARG for bad names. */
export async function inlineModel(
  name: string,
  files: ReadonlyMap<string, Uint8Array>,
  options: PlanOptions,
): Promise<ModelFiles> {
  if (files.size > MAX_INLINE_FILES) {
    throw new ServerError(
      'INVALID_ARG',
      `load request of model '${name}' has ${files.size} files, the limit is ${MAX_INLINE_FILES}`,
    )
  }
  const folder = modelPath(name)
  const placed = new Map<string, Uint8Array>()
  for (const [file, content] of files) {
    checkInlineFile(file)
    placed.set(safeJoin(folder, file), content)
  }
  const given = fileMapStore({ root: `files of the load request for '${name}'`, files: placed })
  const store = options.guard?.(given) ?? given
  const scanned = await scanModel(store, name, options)
  if (scanned === undefined) throw new ServerError('INVALID_ARG', 'load request has no files')
  return scanned
}

/** Reads the configuration and decides the backend. Throws INVALID_ARG that says what is wrong with it. */
export async function planModel(
  files: ModelFiles,
  overrides: LoadOverrides,
  options: PlanOptions,
): Promise<ModelPlan> {
  const { name } = files
  const places: Places = new Map()
  const given = await readConfig(files, overrides, options, places)
  const config = inferBackend({
    config: given,
    modelName: name,
    files: await firstVersionFiles(files, options.signal),
  })
  validatePartialConfig(normalizeConfig(config, { modelName: name }), {
    modelName: name,
    places,
    file: files.configPath ?? CONFIG_FILE,
  })
  return { name, files, config }
}

async function readConfig(
  files: ModelFiles,
  overrides: LoadOverrides,
  options: PlanOptions,
  places: Places,
): Promise<ModelConfig> {
  if (overrides.config !== undefined) {
    return configFromJson(overrides.config, { what: 'config override' })
  }
  const { configPath, view } = files
  if (configPath === null) {
    if (options.autoComplete) return {}
    throw new ServerError(
      'INVALID_ARG',
      `no config.pbtxt for model '${files.name}', and auto-completion of configs is disabled`,
    )
  }
  const stat = await view.stat(configPath, options.signal)
  // UTF-8 takes at most four bytes for a character: whatever is longer cannot be within the parser's limit.
  if (stat !== undefined && stat.size > MAX_CONFIG_LENGTH * 4) {
    throw new ServerError(
      'INVALID_ARG',
      `${configPath} has ${stat.size} bytes, the limit is ${MAX_CONFIG_LENGTH}`,
    )
  }
  return parseConfig(utf8(await view.read(configPath, options.signal), configPath), {
    file: configPath,
    places,
  })
}

function utf8(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new ServerError('INVALID_ARG', `${path} is not valid UTF-8`, { cause: error })
  }
}

/** Names in the folder of the lowest version: what the kind of model is told by. */
async function firstVersionFiles(
  files: ModelFiles,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const lowest = [...files.versions.keys()].sort((a, b) => a - b)[0]
  if (lowest === undefined) return []
  const folder = `${files.path}/${lowest}`
  const entries = await files.view.list(folder, signal)
  return entries.map((entry) => entry.path.slice(folder.length + 1)).sort()
}
