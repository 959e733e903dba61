import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { BuildReport } from './bundle.ts'
import { sizeTable } from './size-table.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TARGETS = join(ROOT, 'adapters/targets')
/** What a bundle can depend on; a change anywhere here means building again. */
const SOURCES = [
  'core',
  'adapters',
  'native',
  'test/contract',
  'infra/authors.ts',
  'infra/build.ts',
  'infra/bundle.ts',
  'infra/manifest.ts',
  'models',
  'package-lock.json',
]
const STAMP = '.built-from'

const flags = process.argv.slice(2)
const quiet = flags.includes('--quiet')
const wanted = flags.filter((flag) => !flag.startsWith('--'))
const targets = readdirSync(TARGETS)
  .filter((name) => existsSync(join(TARGETS, name, 'build.ts')))
  .filter((name) => wanted.length === 0 || wanted.includes(name))

const unknown = wanted.filter((name) => !targets.includes(name))
if (unknown.length > 0) {
  console.error(`no such target: ${unknown.join(', ')} (there is: ${targets.join(', ')})`)
  process.exit(1)
}

const source = fingerprint()
const reports = new Map<string, BuildReport>()
for (const target of targets) {
  const folder = join(ROOT, 'dist', target)
  const known = builtFrom(folder)
  if (known?.source === source) {
    reports.set(target, known.report)
    continue
  }
  // esbuild takes a tenth of a second to load: only when there is something to do.
  const { bundleTarget } = await import('./bundle.ts')
  // Made aside and then put in place: a build that fails, or that runs twice at once, leaves a whole bundle behind.
  const fresh = `${folder}.${process.pid}`
  mkdirSync(fresh, { recursive: true })
  const { build } = await import(pathToFileURL(join(TARGETS, target, 'build.ts')).href)
  try {
    const report = await bundleTarget({ root: ROOT, from: join(TARGETS, target), to: fresh, build })
    writeFileSync(join(fresh, STAMP), JSON.stringify({ source, report }))
    // Moved away rather than removed first: whoever starts the server meanwhile finds one or the other.
    const old = `${fresh}.old`
    moveUnlessGone(folder, old)
    moveUnlessThere(fresh, folder)
    // A worker that still runs may write beside its modules.
    rmSync(old, { recursive: true, force: true, maxRetries: 5 })
    reports.set(target, report)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}
if (!quiet) console.log(sizeTable(reports))

function moveUnlessGone(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (existsSync(from)) throw error
  }
}

/** Another build that runs at the same time may have been faster: its bundle is as good. */
function moveUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (!existsSync(to)) throw error
  }
}

/** What the folder's last build left as its stamp; undefined where there is none that can be read. */
function builtFrom(folder: string): { source: string; report: BuildReport } | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, STAMP), 'utf8'))
  } catch {
    return undefined
  }
}

/** Names, sizes and times of every source file: equal text, equal bundle. */
function fingerprint(): string {
  const hash = createHash('sha256')
  const visit = (path: string): void => {
    const stat = statSync(join(ROOT, path))
    if (!stat.isDirectory()) {
      hash.update(`${path} ${stat.size} ${stat.mtimeMs}\n`)
      return
    }
    for (const name of readdirSync(join(ROOT, path)).sort()) visit(`${path}/${name}`)
  }
  for (const path of SOURCES) if (existsSync(join(ROOT, path))) visit(path)
  return hash.digest('hex')
}
