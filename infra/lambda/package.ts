import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type LayerFile, layerFiles, MACHINES, type Machine } from './layer.ts'
import { type ZipEntry, zip } from './zip.ts'

/**
 * Makes `dist/lambda-zips`: the function (the bundle, and models unless `--models=` is empty) and for each kind of machine a layer
 * with what is native. Prints their sizes and fails past the budgets.
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const OUT = join(ROOT, 'dist/lambda-zips')
/** What Lambda takes in one upload, and what function and layers may come to when they are unpacked. */
const MAX_ZIP = 50 * 1000 * 1000
const MAX_UNZIPPED = 250 * 1024 * 1024
/** Names in the repository's `models` that come along when nothing is said. */
const SAMPLES = ['digits', 'iris', 'tumour', 'wine']

const flag = process.argv.slice(2).find((one) => one.startsWith('--models='))
const models = flag?.slice('--models='.length)

execFileSync(process.execPath, ['--import', 'tsx', 'infra/build.ts', 'lambda', '--quiet'], {
  cwd: ROOT,
  stdio: 'inherit',
})
mkdirSync(OUT, { recursive: true })

const code: ZipEntry[] = [
  ...filesBelow(join(ROOT, 'dist/lambda'), '', (path) => /\.(mjs|json)$/.test(path)),
  ...modelFiles(),
  { name: 'LICENSE', bytes: readFileSync(join(ROOT, 'LICENSE')) },
]
const rows: [string, number, number][] = [['function', ...write('function.zip', code)]]
const [, codeZip, codeBytes] = rows[0] ?? ['', 0, 0]
let failed = false
for (const machine of Object.keys(MACHINES) as Machine[]) {
  const [packed, bytes] = writeLayer(machine, layerFiles(ROOT, machine))
  rows.push([`layer ${machine}`, packed, bytes])
  rows.push([`together ${machine}`, packed + codeZip, bytes + codeBytes])
  if (packed + codeZip > MAX_ZIP || bytes + codeBytes > MAX_UNZIPPED) failed = true
}
console.log(`${'dist/lambda-zips'.padEnd(18)}${'zipped'.padStart(14)}${'unzipped'.padStart(14)}`)
for (const [name, ...sizes] of [...rows, ['budget', MAX_ZIP, MAX_UNZIPPED] as const]) {
  const cells = sizes.map((size) => size.toLocaleString('en-US').padStart(14))
  console.log(`${name.padEnd(18)}${cells.join('')}`)
}
if (failed) {
  console.error('over the budget')
  process.exitCode = 1
}

function write(name: string, entries: readonly ZipEntry[]): [number, number] {
  const bytes = zip(entries)
  // Put in place whole: whoever deploys or tests meanwhile has the one or the other.
  const fresh = join(OUT, `.${name}.${process.pid}`)
  writeFileSync(fresh, bytes)
  renameSync(fresh, join(OUT, name))
  return [bytes.length, entries.reduce((sum, entry) => sum + entry.bytes.length, 0)]
}

/** Packing ONNX Runtime takes seconds and its files change with its version only: an archive of the same ones stays. */
function writeLayer(machine: Machine, files: readonly LayerFile[]): [number, number] {
  const stats = files.map(({ name, path }) => ({ name, ...sizeAndTime(path) }))
  const stamp = JSON.stringify(stats)
  const name = `layer-${machine}.zip`
  const stampFile = join(OUT, `.${name}.made-from`)
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) {
    return [statSync(join(OUT, name)).size, stats.reduce((sum, { size }) => sum + size, 0)]
  }
  const entries = files.map(({ name, path }) => ({ name, bytes: readFileSync(path) }))
  const written = write(name, entries)
  writeFileSync(stampFile, stamp)
  return written
}

function sizeAndTime(path: string): { size: number; mtimeMs: number } {
  const { size, mtimeMs } = statSync(path)
  return { size, mtimeMs }
}

function modelFiles(): ZipEntry[] {
  if (models === '') return []
  if (models !== undefined) return filesBelow(models, 'models/', () => true)
  return SAMPLES.flatMap((name) =>
    filesBelow(join(ROOT, 'models', name), `models/${name}/`, () => true),
  )
}

function filesBelow(folder: string, prefix: string, wanted: (path: string) => boolean): ZipEntry[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return filesBelow(path, `${prefix}${entry.name}/`, wanted)
      if (!entry.isFile() || !wanted(entry.name)) return []
      return [{ name: `${prefix}${entry.name}`, bytes: readFileSync(path) }]
    })
}
