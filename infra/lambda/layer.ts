import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Lambda's name of each kind of machine, and Node's. */
export const MACHINES = { x86_64: 'x64', arm64: 'arm64' } as const
export type Machine = keyof typeof MACHINES

/** A file of a layer, and where it lies here. */
export interface LayerFile {
  readonly name: string
  readonly path: string
}

/** Where Lambda's Node looks for the packages of a layer. */
const PACKAGES = 'nodejs/node_modules'

/** Every file of a layer with what is native: ONNX Runtime's library and the FFI, for one kind of machine alone. */
export function layerFiles(root: string, machine: Machine): LayerFile[] {
  const arch = MACHINES[machine]
  const onnx = join(root, 'node_modules/onnxruntime-node')
  const library = `bin/napi-v6/linux/${arch}`
  const name = `@koromix/koffi-linux-${arch}`
  const koffi = koffiFolder(root, name)
  const files: [string, string][] = [
    [`onnxruntime-node/package.json`, join(onnx, 'package.json')],
    ...readdirSync(join(onnx, library))
      .filter((file) => file.startsWith('libonnxruntime.so'))
      .map((file): [string, string] => [
        `onnxruntime-node/${library}/${file}`,
        join(onnx, library, file),
      ]),
    [`${name}/package.json`, join(koffi, 'package.json')],
    [`${name}/index.js`, join(koffi, 'index.js')],
    [`${name}/LICENSE.txt`, join(root, 'node_modules/koffi/LICENSE.txt')],
    // Lambda's Linux has glibc.
    [`${name}/linux_${arch}/koffi.node`, join(koffi, `linux_${arch}/koffi.node`)],
  ]
  return files.map(([name, path]) => ({ name: `${PACKAGES}/${name}`, path }))
}

/** npm installs the package of this machine only; those of others are fetched, as the lock file has them. */
function koffiFolder(root: string, name: string): string {
  const installed = join(root, 'node_modules', name)
  if (existsSync(installed)) return installed
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const { version, integrity } = lock.packages[`node_modules/${name}`]
  const cache = join(root, '.cache/lambda/packages', `${name.replace('/', '-')}-${version}`)
  const folder = join(cache, 'package')
  if (existsSync(join(folder, 'package.json'))) return folder
  mkdirSync(cache, { recursive: true })
  const file = execFileSync('npm', ['pack', '--silent', `${name}@${version}`], {
    cwd: cache,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim()
  const digest = createHash('sha512')
    .update(readFileSync(join(cache, file)))
    .digest('base64')
  if (`sha512-${digest}` !== integrity) throw new Error(`${file} is not what the lock file names`)
  execFileSync('tar', ['-xzf', file], { cwd: cache })
  return folder
}
