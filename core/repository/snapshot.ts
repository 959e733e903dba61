import type { Log, ModelStore, StoreEntry } from '../platform.ts'
import {
  CONFIG_FILE,
  CONFIGS_FOLDER,
  customConfigFile,
  modelPath,
  RESERVED_FOLDERS,
} from './layout.ts'
import { MAX_VERSIONS, parseVersion } from './versions.ts'

/** Models of one repository that a scan looks at; the rest are ignored with a log line. */
export const MAX_MODELS = 10_000
/** Files of one model whose tags are compared; a change in what lies beyond goes unseen. */
export const MAX_FILES_PER_MODEL = 10_000
/** Folder levels below a model whose files are compared. */
export const MAX_SCAN_DEPTH = 16

/** What one scan saw of a model. Two scans with equal tags saw the same files. */
export interface ModelFiles {
  readonly name: string
  readonly store: ModelStore
  /** Where the files are read: `store`, or what it pinned for this scan. */
  readonly view: ModelStore
  /** The model's folder in `store`. */
  readonly path: string
  /** Path of the configuration in force; null where the model has none. */
  readonly configPath: string | null
  /** Tag of {@link configPath}'s file; '' where the model has none. */
  readonly configTag: string
  /** Tag of what else all versions share: labels, warm-up data, initial states. */
  readonly sharedTag: string
  /** Tag of everything in each version's folder. */
  readonly versions: ReadonlyMap<number, string>
  /** Why folders that look like versions are none, one line each. */
  readonly skipped: readonly string[]
}

export interface SnapshotOptions {
  /** `--model-config-name`; '' = none. */
  readonly configName: string
  readonly signal?: AbortSignal | undefined
}

/** Names of the model folders of a repository, sorted. */
export async function listModels(
  store: ModelStore,
  log: Log,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const names: string[] = []
  for (const entry of await store.list('', signal)) {
    if (entry.kind === 'directory') names.push(entry.path)
  }
  names.sort(byCodeUnit)
  if (names.length > MAX_MODELS) {
    log.warning(
      `repository '${store.root}' has ${names.length} models, only the first ${MAX_MODELS} are served`,
    )
    names.length = MAX_MODELS
  }
  return names
}

/** One scan of a model's folder; undefined where there is no such folder. Throws INVALID_ARG for an impossible name. */
export async function scanModel(
  store: ModelStore,
  name: string,
  options: SnapshotOptions,
): Promise<ModelFiles | undefined> {
  const path = modelPath(name)
  const stat = await store.stat(path, options.signal)
  if (stat?.kind !== 'directory') return undefined

  const budget = { files: MAX_FILES_PER_MODEL }
  const shared: string[] = []
  const skipped: string[] = []
  const versions = new Map<number, string>()
  for (const entry of sorted(await store.list(path, options.signal))) {
    const folder = entry.path.slice(path.length + 1)
    const version = entry.kind === 'directory' ? parseVersion(folder) : undefined
    if (version !== undefined && versions.size < MAX_VERSIONS) {
      versions.set(version, (await tagsBelow(store, entry, budget, options.signal)).join('\n'))
    } else if (folder === CONFIG_FILE || folder === CONFIGS_FOLDER) {
      // Compared by what it says, not by its tag: a new version policy alone reloads nothing.
    } else if (entry.kind === 'file' || RESERVED_FOLDERS.has(folder)) {
      shared.push(...(await tagsBelow(store, entry, budget, options.signal)))
    } else {
      skipped.push(skippedLine(name, folder))
    }
  }
  const config = await findConfig(store, path, options)
  return {
    name,
    store,
    view: store,
    path,
    configPath: config?.path ?? null,
    configTag: config?.tag ?? '',
    sharedTag: shared.join('\n'),
    versions,
    skipped,
  }
}

/** A scan of `store` through what it pins of the model's folder, which a load can rely on. */
export async function scanPinned(
  store: ModelStore,
  name: string,
  options: SnapshotOptions,
): Promise<ModelFiles | undefined> {
  if (store.pin === undefined) return scanModel(store, name, options)
  const view = await store.pin(modelPath(name), options.signal)
  const files = await scanModel(view, name, options)
  return files && { ...files, store }
}

async function findConfig(
  store: ModelStore,
  path: string,
  options: SnapshotOptions,
): Promise<{ readonly path: string; readonly tag: string } | undefined> {
  const candidates = [`${path}/${CONFIG_FILE}`]
  if (options.configName !== '') {
    candidates.unshift(`${path}/${customConfigFile(options.configName)}`)
  }
  for (const candidate of candidates) {
    const stat = await store.stat(candidate, options.signal)
    if (stat?.kind === 'file') return { path: candidate, tag: stat.tag }
  }
  return undefined
}

/** `path tag` of every file at or below `entry`, in a fixed order. */
async function tagsBelow(
  store: ModelStore,
  entry: StoreEntry,
  budget: { files: number },
  signal?: AbortSignal,
): Promise<string[]> {
  const tags: string[] = []
  const open = [{ entry, depth: 0 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.entry.kind === 'file') {
      if (budget.files-- <= 0) break
      const stat = await store.stat(next.entry.path, signal)
      tags.push(`${next.entry.path} ${stat?.tag ?? '-'}`)
    } else if (next.depth < MAX_SCAN_DEPTH) {
      const depth = next.depth + 1
      for (const child of await store.list(next.entry.path, signal)) {
        open.push({ entry: child, depth })
      }
    }
  }
  return tags.sort(byCodeUnit)
}

function skippedLine(model: string, folder: string): string {
  const why = /^0[0-9]/.test(folder)
    ? 'contains leading zeros in its directory name'
    : parseVersion(folder) === undefined
      ? 'fails to convert to integral number'
      : `exceeds the ${MAX_VERSIONS} versions a model may have`
  return `ignore version directory '${folder}' of model '${model}' which ${why}`
}

function sorted(entries: readonly StoreEntry[]): StoreEntry[] {
  return [...entries].sort((a, b) => byCodeUnit(a.path, b.path))
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
