import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** `libopenvino_c.so`, `libopenvino_c.so.2641`, … */
const FILE = /^libopenvino_c\.so(\.\d+)*$/

/** Where the library lies below a folder that somebody names: itself, an installation, a virtual environment, its wheel. */
const BELOW = ['', 'libs', 'lib', 'runtime/lib/intel64', 'runtime/lib/aarch64', 'openvino/libs']

/** Folders that hold Python's packages below a prefix. */
const PACKAGES = ['site-packages', 'dist-packages']

/** Prefixes and folders of installations that nobody named, in order: archive, package manager, wheel. */
const USUAL = [
  '/opt/intel/openvino',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/local/lib',
  '/usr/lib64',
  '/usr/local',
  '/usr',
]

export interface FindOptions {
  /** A file, or a folder to look in: an installation, a wheel's folder, a virtual environment. */
  readonly path?: string | undefined
  /** More folders, looked into before the usual ones. */
  readonly folders?: readonly string[] | undefined
}

/** The library's file, or undefined where there is none: then the dynamic linker's own search is what is left. */
export function findOpenVinoLibrary({ path, folders = [] }: FindOptions): string | undefined {
  if (path !== undefined) return isFolder(path) ? within(path) : path
  for (const folder of [...folders, ...USUAL]) {
    const found = within(folder)
    if (found !== undefined) return found
  }
  return undefined
}

function within(root: string): string | undefined {
  const below = BELOW.map((folder) => join(root, folder))
  for (const folder of [...below, ...wheels(join(root, 'lib'))]) {
    const file = names(folder).filter((name) => FILE.test(name))
    const [first] = file.sort()
    if (first !== undefined) return join(folder, first)
  }
  return undefined
}

/** Folders of OpenVINO's wheel in the Python environments of a prefix. */
function wheels(lib: string): string[] {
  return names(lib)
    .filter((name) => /^python3(\.\d+)?$/.test(name))
    .flatMap((python) => PACKAGES.map((packages) => join(lib, python, packages, 'openvino/libs')))
    .filter((folder) => existsSync(folder))
}

function names(folder: string): string[] {
  return isFolder(folder) ? readdirSync(folder) : []
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
