import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import koffi, { type LibraryHandle } from 'koffi'
import { configureFfi } from '../ffi.ts'

const RTLD_NOW = 2
/** "Never unmap": the flag's value per platform that has it. */
const RTLD_NODELETE: Readonly<Record<string, number>> = { linux: 0x1000, darwin: 0x80 }

/** A library that stays mapped until the process ends. */
export interface Library {
  readonly path: string
  readonly handle: LibraryHandle
  /** Copies `bytes` bytes from a native address into memory of ours (`memcpy`). */
  readonly copy: (target: number, source: number, bytes: number) => void
}

/** Path of the library that the `onnxruntime-node` package ships for this platform. Throws where it ships none. */
export function bundledLibraryPath(): string {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
  const folder = join(root, 'bin', 'napi-v6', process.platform, process.arch)
  const name = readdirSync(folder).find((file) => /^libonnxruntime\.(so\.\d+|.*dylib)$/.test(file))
  if (name === undefined) throw new Error(`no ONNX Runtime library in ${folder}`)
  return join(folder, name)
}

/**
 * Maps the library at `path`, for good: koffi unmaps a library when its handle is garbage-collected or its thread ends,
 * and a call in flight would return into nothing, so the library is also opened with `RTLD_NODELETE`.
 */
export function openLibrary(path: string): Library {
  const nodelete = RTLD_NODELETE[process.platform]
  if (nodelete === undefined) {
    throw new Error(`ONNX Runtime by FFI runs on Linux and macOS, not on ${process.platform}`)
  }
  configureFfi()
  const libc = koffi.load(null)
  const dlopen = libc.func('dlopen', 'uintptr_t', ['str', 'int'])
  dlopen(path, RTLD_NOW | nodelete)
  const handle = koffi.load(path)
  const copy = libc.func('memcpy', 'void', ['uintptr_t', 'uintptr_t', 'size_t'])
  return { path, handle, copy }
}
