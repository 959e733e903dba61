import koffi from 'koffi'
import { configureFfi } from '../ffi.ts'
import { FUNCTIONS, type Functions, OPTIONAL_FUNCTIONS } from './functions.ts'

const RTLD_NOW = 2
const RTLD_NODELETE = 0x1000

/** `libopenvino_c`, mapped until the process ends. */
export interface OpenVinoLibrary extends Functions {
  readonly path: string
  /** Copies bytes from a native address to another (`memcpy`). */
  readonly copy: (target: number, source: number, bytes: number) => void
}

/**
 * Maps the library at `path`, for good: what koffi unmaps when it is collected would be gone under a call in flight. Throws
 * on other systems than Linux, whose conventions {@link FUNCTIONS} counts on.
 */
export function openOpenVinoLibrary(path: string): OpenVinoLibrary {
  if (process.platform !== 'linux') {
    throw new Error(`OpenVINO by FFI runs on Linux, not on ${process.platform}`)
  }
  configureFfi()
  const libc = koffi.load(null)
  libc.func('dlopen', 'uintptr_t', ['str', 'int'])(path, RTLD_NOW | RTLD_NODELETE)
  const handle = koffi.load(path)
  const bound: Record<string, unknown> = {}
  for (const [name, [symbol, result, parameters]] of Object.entries(FUNCTIONS)) {
    const types = parameters.map((type) => (type === 'str?' ? 'str' : type))
    bound[name] = handle.func(symbol, result, types)
  }
  for (const [name, [symbol, result, parameters]] of Object.entries(OPTIONAL_FUNCTIONS)) {
    try {
      bound[name] = handle.func(symbol, result, [...parameters])
    } catch {
      bound[name] = null
    }
  }
  const copy = libc.func('memcpy', 'void', ['uintptr_t', 'uintptr_t', 'size_t'])
  return { ...(bound as unknown as Functions), path, copy }
}
