import { chmodSync, copyFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build as esbuild, type Plugin } from 'esbuild'

/** What a target's `build.ts` says. */
export interface TargetBuild {
  /** Packages that are loaded at run time. */
  readonly external: readonly string[]
  readonly bundles: readonly Bundle[]
  /** Output name → file that goes there as it is, relative to the target. */
  readonly copies?: Readonly<Record<string, string>>
  /** Budget: bytes of all scripts together, without source maps. */
  readonly maxBytes: number
}

export interface Bundle {
  readonly format: 'esm' | 'cjs'
  /** Output name → source file, relative to the target. CommonJS gets `.js`, ES modules get `.mjs`. */
  readonly entries: Readonly<Record<string, string>>
  /** Imports that stay as imports, and what they become. */
  readonly leave: Readonly<Record<string, string>>
  readonly shebang: boolean
}

/** Writes every bundle of one target and says what came out. Throws when the budget is passed. */
export async function bundleTarget(options: {
  readonly root: string
  readonly from: string
  readonly to: string
  readonly build: TargetBuild
}): Promise<string> {
  let bytes = 0
  let files = 0
  for (const bundle of options.build.bundles) {
    const extension = bundle.format === 'cjs' ? '.js' : '.mjs'
    const result = await esbuild({
      absWorkingDir: options.root,
      bundle: true,
      platform: 'node',
      target: 'node20',
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
      if (file.endsWith('.map')) continue
      bytes += output.bytes
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
    copyFileSync(join(options.from, file), join(options.to, name))
  }
  // `main.js` is CommonJS although the package is a module.
  writeFileSync(join(options.to, 'package.json'), '{"type":"commonjs"}\n')
  if (bytes > options.build.maxBytes) {
    throw new Error(
      `${options.to}: ${bytes} bytes are over the budget of ${options.build.maxBytes}`,
    )
  }
  return `${files} files, ${bytes} bytes`
}

/** Packages in CommonJS ask for `require`, which an ES module does not have. */
const REQUIRE = `import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);`

function banner(bundle: Bundle): string {
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
