import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { machineOf } from './elf.ts'
import { ffiPackage, nodePackage } from './packages.ts'

/**
 * Makes `dist/edge-package/nereid-edge-linux-arm64.tar.gz`: all that a device needs, Node and libraries for arm64 alone, and an
 * installer. Prints its sizes and fails past the budget.
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const OUT = join(ROOT, 'dist/edge-package')
const NAME = 'nereid-edge-linux-arm64'
/** Bytes of the tarball. */
const MAX_PACKED = 62 * 1000 * 1000
const SAMPLES = ['digits', 'iris', 'tumour', 'wine']
const ARCH = 'arm64'

execFileSync(process.execPath, ['--import', 'tsx', 'infra/build.ts', 'edge', '--quiet'], {
  cwd: ROOT,
  stdio: 'inherit',
})

const aside = `${OUT}.${process.pid}`
const stage = join(aside, NAME)
rmSync(aside, { recursive: true, force: true })
try {
  fill()
  checkMachines(stage)
  const tarball = join(aside, `${NAME}.tar.gz`)
  execFileSync('tar', [
    ...['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0'],
    ...['--use-compress-program=gzip -n -6', '-cf', tarball, '-C', aside, NAME],
  ])
  rmSync(OUT, { recursive: true, force: true })
  renameSync(aside, OUT)
} finally {
  rmSync(aside, { recursive: true, force: true })
}

const packed = statSync(join(OUT, `${NAME}.tar.gz`)).size
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
console.log(
  `edge: ${NAME}.tar.gz ${mb(packed)} of ${mb(MAX_PACKED)}, installed ${mb(bytesBelow(join(OUT, NAME)))}`,
)
if (packed > MAX_PACKED) {
  console.error('over the budget')
  process.exitCode = 1
}

function fill(): void {
  const packages = join(ROOT, 'node_modules')
  const target = (path: string): string => join(stage, 'nereid', path)
  const copy = (from: string, to: string): void => {
    mkdirSync(dirname(target(to)), { recursive: true })
    cpSync(from, target(to), { recursive: true })
  }
  copy(join(nodePackage(ROOT), 'bin/node'), 'bin/node')
  copy(join(nodePackage(ROOT), 'LICENSE'), 'bin/node.LICENSE')
  copy(join(ROOT, 'infra/edge/nereid.sh'), 'bin/nereid')
  for (const name of readdirSync(join(ROOT, 'dist/edge'))) {
    if (/\.(js|mjs|json)$/.test(name)) copy(join(ROOT, 'dist/edge', name), `dist/${name}`)
  }
  for (const name of ['package.json', 'LICENSE']) copy(join(ROOT, name), name)
  copy(join(ROOT, 'adapters/targets/edge/README.md'), 'README.md')
  for (const name of SAMPLES) copy(join(ROOT, 'models', name), `models/${name}`)

  // Its scripts; the rest is what it is built from.
  for (const path of filesBelow(join(packages, 'koffi'))) {
    const name = relative(packages, path)
    if (/^koffi\/(vendor|doc)\//.test(name)) continue
    if (/\.(js|cjs|json)$|LICENSE/.test(name)) copy(path, `node_modules/${name}`)
  }
  const ffi = ffiPackage(ROOT)
  for (const name of ['package.json', 'index.js', `linux_${ARCH}`]) {
    copy(join(ffi.folder, name), `node_modules/${ffi.name}/${name}`)
  }
  const onnx = 'node_modules/onnxruntime-node'
  const library = `${onnx}/bin/napi-v6/linux/${ARCH}`
  for (const path of [`${onnx}/package.json`, `${onnx}/dist`, library]) copy(join(ROOT, path), path)
  copy(join(packages, 'onnxruntime-common'), 'node_modules/onnxruntime-common')
  rmSync(target('node_modules/onnxruntime-common/lib'), { recursive: true, force: true })
  rmSync(target('node_modules/onnxruntime-common/dist/esm'), { recursive: true, force: true })

  for (const name of ['nereid.service', 'nereid.env', 'install.sh']) {
    cpSync(join(ROOT, 'infra/edge', name), join(stage, name))
  }
  chmodSync(join(stage, 'install.sh'), 0o755)
  chmodSync(target('bin/nereid'), 0o755)
}

/** A library for another machine would be dead weight, or a crash on the device. */
function checkMachines(folder: string): void {
  for (const path of filesBelow(folder)) {
    const machine = machineOf(readFileSync(path))
    if (machine !== undefined && machine !== ARCH) throw new Error(`${path} is for ${machine}`)
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function bytesBelow(folder: string): number {
  return filesBelow(folder).reduce((sum, path) => sum + statSync(path).size, 0)
}
