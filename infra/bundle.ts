import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build as esbuild, type Plugin } from 'esbuild'
import { type AuthorFiles, writeAuthorFiles } from './authors.ts'

/** What a target's `build.ts` says. */
export interface TargetBuild {
  /** Packages that are loaded at run time. */
  readonly external: readonly string[]
  readonly bundles: readonly Bundle[]
  /** Output name → file or folder that goes there as it is, relative to the target. */
  readonly copies?: Readonly<Record<string, string>>
  /** Beside the server, and no part of its budget. */
  readonly authors?: AuthorFiles
  /** Budget: bytes of all scripts together, without source maps. */
  readonly maxBytes: number
  /** Models of `models/` that go into the folder of that name, with a manifest: a repository for plain web servers. */
  readonly models?: readonly string[]
}

export interface Bundle {
  readonly format: 'esm' | 'cjs'
  /** Output name → source file, relative to the target. CommonJS gets `.js`, ES modules get `.mjs`. */
  readonly entries: Readonly<Record<string, string>>
  /** Imports that stay as imports, and what they become. */
  readonly leave: Readonly<Record<string, string>>
  readonly shebang: boolean
  /** What runs it. Default `node`. In bundles for browsers, imports of `.wasm` files are their URLs. */
  readonly platform?: 'node' | 'browser'
  /** Which of a package's files goes in where it names several, best first. Default: esbuild's for the platform. */
  readonly mainFields?: readonly string[]
}

/** What came out of one target's build. */
export interface BuildReport {
  /** Scripts, without source maps. */
  readonly files: number
  readonly bytes: number
  readonly gzip: number
  readonly maxBytes: number
  /** The whole folder, source maps aside: with copies, models, WebAssembly. */
  readonly folderBytes: number
}

const BROWSER = {
  platform: 'browser',
  target: 'es2022',
  minifyIdentifiers: true,
  loader: { '.wasm': 'file' },
  assetNames: '[name]-[hash]',
} satisfies BuildOptions
const NODE = { platform: 'node', target: 'node20' } satisfies BuildOptions

/** Writes every bundle of one target and says what came out. Throws when the budget is passed. */
export async function bundleTarget(options: {
  readonly root: string
  readonly from: string
  readonly to: string
  readonly build: TargetBuild
}): Promise<BuildReport> {
  let bytes = 0
  let files = 0
  let gzip = 0
  for (const bundle of options.build.bundles) {
    const extension = bundle.format === 'cjs' ? '.js' : '.mjs'
    const result = await esbuild({
      absWorkingDir: options.root,
      bundle: true,
      ...(bundle.platform === 'browser' ? BROWSER : NODE),
      ...(bundle.mainFields === undefined ? {} : { mainFields: [...bundle.mainFields] }),
      format: bundle.format,
      splitting: bundle.format === 'esm',
      entryPoints: Object.fromEntries(
        Object.entries(bundle.entries).map(([name, file]) => [name, join(options.from, file)]),
      ),
      outdir: options.to,
      outExtension: { '.js': extension },
      chunkNames: '[name]-[hash]',
      external: [...options.build.external],
      plugins: [leave(bundle.leave)],
      banner: { js: banner(bundle) },
      minifyWhitespace: true,
      minifySyntax: true,
      keepNames: false,
      sourcemap: 'linked',
      sourcesContent: false,
      legalComments: 'none',
      metafile: true,
      logLevel: 'warning',
    })
    for (const [file, output] of Object.entries(result.metafile.outputs)) {
      if (!/\.m?js$/.test(file)) continue
      bytes += output.bytes
      gzip += gzipSync(readFileSync(join(options.root, file))).length
      files += 1
    }
    if (bundle.shebang) {
      for (const name of Object.keys(bundle.entries)) {
        const file = join(options.to, `${name}${extension}`)
        chmodSync(file, statSync(file).mode | 0o111)
      }
    }
  }
  for (const [name, file] of Object.entries(options.build.copies ?? {})) {
    cpSync(join(options.from, file), join(options.to, name), {
      recursive: true,
      // What Python and its linters keep beside the sources.
      filter: (path) => !/^(__pycache__|\..+)$/.test(basename(path)),
    })
  }
  if (options.build.bundles.some(({ platform }) => platform !== 'browser')) {
    // `main.js` is CommonJS although the package is a module.
    writeFileSync(join(options.to, 'package.json'), '{"type":"commonjs"}\n')
  }
  if (bytes > options.build.maxBytes) {
    throw new Error(
      `${options.to}: ${bytes} bytes are over the budget of ${options.build.maxBytes}`,
    )
  }
  const { authors } = options.build
  if (authors !== undefined) await writeAuthorFiles({ ...options, files: authors })
  if (options.build.models !== undefined) addModels(options, options.build.models)
  const { maxBytes } = options.build
  return { files, bytes, gzip, maxBytes, folderBytes: bytesBelow(options.to) }
}

function addModels(
  { root, to }: { readonly root: string; readonly to: string },
  models: readonly string[],
): void {
  const folder = join(to, 'models')
  for (const name of models) {
    cpSync(join(root, 'models', name), join(folder, name), { recursive: true })
  }
  execFileSync(process.execPath, ['--import', 'tsx', 'infra/manifest.ts', folder], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

function bytesBelow(folder: string): number {
  let bytes = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) bytes += bytesBelow(path)
    else if (!entry.name.endsWith('.map')) bytes += statSync(path).size
  }
  return bytes
}

/** Packages in CommonJS ask for `require`, which an ES module does not have. */
const REQUIRE = `import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);`

function banner(bundle: Bundle): string {
  if (bundle.platform === 'browser') return ''
  if (bundle.format === 'esm') return REQUIRE
  return bundle.shebang ? '#!/usr/bin/env node' : ''
}

function leave(paths: Readonly<Record<string, string>>): Plugin {
  return {
    name: 'leave',
    setup(build) {
      build.onResolve({ filter: /^\./ }, ({ path }) => {
        const left = paths[path]
        return left === undefined ? undefined : { path: left, external: true }
      })
    },
  }
}
