import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build as esbuild } from 'esbuild'

/** What authors of plug-ins get with the package: no part of the server. */
export interface AuthorFiles {
  /** Where it goes, in the target's folder. */
  readonly folder: string
  /** Output name → module that is bundled, relative to the root. */
  readonly modules: Readonly<Record<string, string>>
  /** Modules of which there are declarations, with all that they name; relative to the root. */
  readonly declarations: readonly string[]
}

const TSC_FLAGS = [
  '--ignoreConfig',
  '--declaration',
  '--emitDeclarationOnly',
  '--noCheck',
  '--strict',
  '--exactOptionalPropertyTypes',
  '--allowImportingTsExtensions',
  '--skipLibCheck',
  '--module',
  'nodenext',
  '--target',
  'es2022',
  '--types',
  'node',
]

/**
 * Writes what authors of plug-ins get into `to`, where there is what it is made of: images are built without, because nobody
 * writes plug-ins in them.
 */
export async function writeAuthorFiles(options: {
  readonly root: string
  readonly to: string
  readonly files: AuthorFiles
}): Promise<void> {
  const { root, files } = options
  const { folder, modules, declarations } = files
  const sources = [...Object.values(modules), ...declarations]
  if (!sources.every((file) => existsSync(join(root, file)))) return
  const to = join(options.to, folder)
  mkdirSync(to, { recursive: true })
  writeFileSync(join(to, 'package.json'), '{"type":"module"}\n')
  await esbuild({
    absWorkingDir: root,
    entryPoints: Object.entries(modules).map(([out, file]) => ({ in: join(root, file), out })),
    outdir: to,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    legalComments: 'none',
    logLevel: 'warning',
  })
  execFileSync(
    process.execPath,
    [
      join(root, 'node_modules/typescript/bin/tsc'),
      ...TSC_FLAGS,
      '--rootDir',
      root,
      '--outDir',
      to,
      ...sources,
    ],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
  )
}
