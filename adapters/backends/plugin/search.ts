import { readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { FinderQuery } from '../../../core/backend/finder.ts'
import { messageOf, ServerError } from '../../../core/errors.ts'
import { safeJoin } from '../../../core/paths.ts'

/** What a backend that is looked for may be called: it becomes part of paths and of a package's name. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
/** A plug-in that is a file, in a model's or a version's folder; `libtriton_NAME.so` in Triton. */
const PREFIX = 'nereid-backend-'
const EXTENSIONS: readonly string[] = ['.mjs', '.js']
/** What a folder is entered by that has no package.json, or one that does not say. */
const ENTRIES: readonly string[] = ['index.mjs', 'index.js']
/** By which a folder of `--backend-directory` is entered that is a backend written in Python (BEPY-22). */
export const PYTHON_ENTRY = 'model.py'

export interface SearchOptions {
  /** `--backend-directory`: has a folder for each backend. '' = none. */
  readonly directory: string
  /** The folder from which packages are resolved, as Node would from a module in it. */
  readonly workingFolder: string
}

export interface PluginFile {
  /** Absolute. */
  readonly path: string
  /** Of the module as it is now: another one when the file changed. */
  readonly url: string
}

export interface SearchResult {
  readonly file?: PluginFile
  readonly looked: readonly string[]
}

/**
 * Triton's order: the version's folder, the model's folder, the backend's folder in `--backend-directory`; then the package
 * `nereid-backend-NAME`. The first that is there is taken.
 */
export async function searchPlugin(
  query: FinderQuery,
  { directory, workingFolder }: SearchOptions,
): Promise<SearchResult> {
  const { backend, versionPath, modelPath } = query
  if (!NAME.test(backend)) return { looked: [] }
  const looked: string[] = []
  for (const folder of [versionPath, modelPath]) {
    const path = await inRepository(query, folder, looked)
    if (path !== undefined) return { file: await asItIsNow(path), looked }
  }
  if (directory !== '') {
    const folder = resolve(directory, backend)
    looked.push(folder)
    const python = join(folder, PYTHON_ENTRY)
    const path = (await entryOf(folder)) ?? ((await isFile(python)) ? python : undefined)
    if (path !== undefined) return { file: await asItIsNow(path), looked }
  }
  looked.push(`package ${PREFIX}${backend} from ${workingFolder}`)
  for (const folder of packageFolders(workingFolder, `${PREFIX}${backend}`)) {
    const path = await entryOf(folder)
    if (path !== undefined) return { file: await asItIsNow(path), looked }
  }
  return { looked }
}

/** Code comes from a repository with files of this machine, or copies there, never from a load request. */
async function inRepository(
  { backend, store, signal }: FinderQuery,
  folder: string,
  looked: string[],
): Promise<string | undefined> {
  if (store.localPath === undefined) return undefined
  looked.push(`${store.root}/${folder}/${PREFIX}${backend}.mjs`)
  for (const extension of EXTENSIONS) {
    const path = safeJoin(folder, `${PREFIX}${backend}${extension}`)
    if ((await store.stat(path, signal))?.kind === 'file') return store.localPath(path, signal)
  }
  return undefined
}

function packageFolders(from: string, name: string): string[] {
  const folders: string[] = []
  for (let at = resolve(from); ; at = dirname(at)) {
    folders.push(join(at, 'node_modules', name))
    if (at === dirname(at)) return folders
  }
}

/** The module by which a folder is entered; undefined where there is no such folder, or none that is a plug-in. */
async function entryOf(folder: string): Promise<string | undefined> {
  const named = await entryOfPackage(join(folder, 'package.json'))
  for (const entry of named === undefined ? ENTRIES : [named, ...ENTRIES]) {
    const path = resolve(folder, entry)
    if (await isFile(path)) return path
  }
  return undefined
}

async function entryOfPackage(file: string): Promise<string | undefined> {
  if (!(await isFile(file))) return undefined
  try {
    const { exports, main } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
    return chosenExport(exports) ?? (typeof main === 'string' ? main : undefined)
  } catch (error) {
    throw new ServerError('INVALID_ARG', `${file} cannot be read: ${messageOf(error)}`)
  }
}

/** The file of `exports` for an `import` of the package itself in Node. */
function chosenExport(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports
  if (typeof exports !== 'object' || exports === null) return undefined
  const table = exports as Record<string, unknown>
  for (const key of ['.', 'node', 'import', 'default']) {
    const found = chosenExport(table[key])
    if (found !== undefined) return found
  }
  return undefined
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true
}

async function asItIsNow(path: string): Promise<PluginFile> {
  const { mtimeMs, size } = await stat(path)
  return { path, url: `${pathToFileURL(path).href}?${mtimeMs}-${size}` }
}
