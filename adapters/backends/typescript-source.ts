import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BuildFailure, Plugin } from 'esbuild'
import type { ModelSource } from '../../core/backend/types.ts'
import { messageOf, ServerError } from '../../core/errors.ts'
import { safeJoin } from '../../core/paths.ts'

/** A model's module as a worker can import it. */
export interface ModelCode {
  readonly url: string
  /** Removes what was made of it. Idempotent. */
  close(): Promise<void>
}

const FILES: readonly string[] = ['model.ts', 'model.js', 'model.mjs']

/**
 * Finds the model's module: the config's `default_model_filename`, else `model.ts`, `model.js` or `model.mjs`. TypeScript is
 * read by Node itself where it can (22.18 and later), else by `esbuild`, which has to be installed; its types are taken
 * away, not checked. Code is taken from a repository on this machine only, never from a load request.
 */
export async function openCode(source: ModelSource, signal?: AbortSignal): Promise<ModelCode> {
  const { store, name, versionPath } = source
  if (store.localPath === undefined) {
    throw new ServerError(
      'UNSUPPORTED',
      `the code of model '${name}' must lie in a repository on this machine's disk`,
    )
  }
  const wanted = source.config.default_model_filename || 'model.ts'
  const names = FILES.includes(wanted) ? [wanted, ...FILES] : [wanted]
  for (const file of names) {
    const path = safeJoin(versionPath, file)
    if ((await store.stat(path, signal))?.kind !== 'file') continue
    const local = await store.localPath(path, signal)
    if (!/\.[cm]?ts$/.test(file) || readByNode(local)) return asItIs(local)
    return translate(local, name)
  }
  throw new ServerError(
    'UNAVAILABLE',
    `unable to find '${store.root}/${safeJoin(versionPath, wanted)}' for model '${name}'`,
  )
}

function asItIs(path: string): ModelCode {
  return { url: pathToFileURL(path).href, close: () => Promise.resolve() }
}

/** Node reads TypeScript since 22.18, but for packages that were installed. */
function readByNode(path: string): boolean {
  const { typescript } = process.features as { typescript?: false | 'strip' | 'transform' }
  return Boolean(typescript) && !path.split(sep).includes('node_modules')
}

/** A module in TypeScript and what it imports by path, as one file in JavaScript. `model` is who needs it. */
export async function translate(path: string, model: string): Promise<ModelCode> {
  const { build } = await import('esbuild').catch((cause: unknown) => {
    throw new ServerError(
      'UNSUPPORTED',
      `model '${model}' is in TypeScript, which Node ${process.version} cannot read: run 'npm install esbuild', use Node 22.18 or newer, or compile it to model.js`,
      { cause },
    )
  })
  const url = pathToFileURL(path).href
  const built = await build({
    entryPoints: [path],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    write: false,
    sourcemap: 'inline',
    tsconfigRaw: '{}',
    logLevel: 'silent',
    define: { 'import.meta.url': JSON.stringify(url) },
    plugins: [packagesFromTheirPlace],
  }).catch((error: unknown) => {
    throw new ServerError('INVALID_ARG', `model '${model}': ${problemOf(error)}`, { cause: error })
  })
  const folder = await mkdtemp(join(tmpdir(), 'nereid-model-'))
  const file = join(folder, 'model.mjs')
  await writeFile(file, built.outputFiles[0]?.contents ?? '')
  return {
    url: pathToFileURL(file).href,
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

/** What is not the model's own stays outside, found as Node would find it from the model's folder. */
const packagesFromTheirPlace: Plugin = {
  name: 'packages-from-their-place',
  setup({ onResolve, resolve }) {
    const asked = {}
    onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, importer, pluginData }) => {
      if (kind === 'entry-point' || pluginData === asked) return undefined
      if (isBuiltin(path)) return { path, external: true }
      const found = await resolve(path, { kind, resolveDir, importer, pluginData: asked })
      // A package that is not there is missed when it is imported, which may be never.
      if (found.errors.length > 0) return { path, external: true }
      return { path: pathToFileURL(found.path).href, external: true }
    })
  },
}

function problemOf(error: unknown): string {
  const first = (error as Partial<BuildFailure>).errors?.[0]
  if (first === undefined) return messageOf(error)
  const { location, text } = first
  return location ? `${basename(location.file)}:${location.line}:${location.column}: ${text}` : text
}
