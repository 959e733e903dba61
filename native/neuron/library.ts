import koffi from 'koffi'
import { configureFfi } from '../ffi.ts'
import { FUNCTIONS, type Functions, OPTIONAL_FUNCTIONS } from './functions.ts'

const RTLD_NOW = 2
const RTLD_NODELETE = 0x1000

/** `libnrt`, mapped until the process ends. */
export interface NeuronLibrary extends Functions {
  readonly path: string
  /** Copies bytes from a native address to another (`memcpy`). */
  readonly copy: (target: number, source: number, bytes: number) => void
}

/** Maps the library at `path`, for good: what koffi unmaps when it is collected would be gone under a call in flight. */
export function openNeuronLibrary(path: string): NeuronLibrary {
  configureFfi()
  const libc = koffi.load(null)
  libc.func('dlopen', 'uintptr_t', ['str', 'int'])(path, RTLD_NOW | RTLD_NODELETE)
  const handle = koffi.load(path)
  const bound: Record<string, unknown> = {}
  const bind = (
    names: readonly string[],
    result: string,
    parameters: readonly string[],
  ): unknown => {
    let failure: unknown
    for (const name of names) {
      try {
        return handle.func(name, result, [...parameters])
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }
  for (const [key, [names, result, parameters]] of Object.entries(FUNCTIONS)) {
    bound[key] = bind(names, result, parameters)
  }
  for (const [key, [names, result, parameters]] of Object.entries(OPTIONAL_FUNCTIONS)) {
    try {
      bound[key] = bind(names, result, parameters)
    } catch {
      bound[key] = null
    }
  }
  const copy = libc.func('memcpy', 'void', ['uintptr_t', 'uintptr_t', 'size_t'])
  return { ...(bound as unknown as Functions), path, copy }
}
