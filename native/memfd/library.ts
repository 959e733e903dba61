import { ftruncateSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import koffi from 'koffi'
import { configureFfi } from '../ffi.ts'
import {
  MAP_FAILED,
  MAP_SHARED,
  PROT_READ_WRITE,
  FUNCTIONS as SHM_FUNCTIONS,
  type Functions as ShmFunctions,
} from '../shm/functions.ts'
import {
  F_ADD_SEALS,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  FUNCTIONS,
  type Functions,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
} from './functions.ts'

/** What the kernel calls such a file in its own lists: nothing that could be opened. */
const LABEL = 'nereid'

/** Part of a memory file as this process sees it. */
export interface Mapping {
  readonly bytes: Uint8Array
  /**
   * The same memory as a buffer of its own, which can be collected while the rest is in use. The mapping stays until the last
   * of them is collected.
   */
  part(at: number, length: number): ArrayBuffer
}

/** Files in memory, without names. */
export interface MemoryFiles {
  /** A descriptor, which the caller closes; children do not inherit it by accident. Throws where the system refuses. */
  create(bytes: number): number
  /** `offset` is a multiple of 64 KiB, and the file has the bytes. Throws where the system refuses. */
  map(fd: number, offset: number, bytes: number): Mapping
  /** Mappings that were not given back yet. */
  readonly mapped: number
}

/** Loads the C library of this process; throws where there is no FFI. */
export function loadMemoryFiles(platform: string = process.platform): MemoryFiles {
  configureFfi()
  const library = koffi.load(null)
  const bind = (name: string, [result, given]: readonly [string, readonly string[]]): unknown =>
    library.func(name, result, [...given])
  const mmap = bind('mmap', SHM_FUNCTIONS.mmap) as ShmFunctions['mmap']
  const munmap = bind('munmap', SHM_FUNCTIONS.munmap) as ShmFunctions['munmap']
  const memfd =
    platform === 'linux'
      ? {
          create: bind('memfd_create', FUNCTIONS.memfd_create) as Functions['memfd_create'],
          fcntl: bind('fcntl', FUNCTIONS.fcntl) as Functions['fcntl'],
        }
      : null
  let mapped = 0
  const unmapper = new FinalizationRegistry<{ address: number; bytes: number }>(
    ({ address, bytes }) => {
      munmap(address, bytes)
      mapped--
    },
  )
  // A part keeps the whole: pages go when nobody can touch any of them.
  const wholes = new WeakMap<ArrayBuffer, ArrayBuffer>()

  return {
    get mapped() {
      return mapped
    },
    create(bytes) {
      if (memfd === null) return temporaryFile(bytes)
      const fd = memfd.create(LABEL, MFD_CLOEXEC | MFD_ALLOW_SEALING)
      if (fd < 0) throw new Error('the system makes no memory files')
      ftruncateSync(fd, bytes)
      if (memfd.fcntl(fd, F_ADD_SEALS, 'int', F_SEAL_SHRINK | F_SEAL_SEAL) !== 0) {
        throw new Error('the system seals no memory files')
      }
      return fd
    },
    map(fd, offset, bytes) {
      const address = Number(mmap(0, bytes, PROT_READ_WRITE, MAP_SHARED, fd, offset))
      if (address >= MAP_FAILED) throw new Error(`cannot map ${bytes} bytes at ${offset}`)
      const whole: ArrayBuffer = koffi.view(address, bytes)
      mapped++
      unmapper.register(whole, { address, bytes })
      return {
        bytes: new Uint8Array(whole),
        part(at, length) {
          if (at < 0 || length <= 0 || at + length > bytes) throw new Error('outside the mapping')
          const part: ArrayBuffer = koffi.view(address + at, length)
          wholes.set(part, whole)
          return part
        },
      }
    },
  }
}

function temporaryFile(bytes: number): number {
  const folder = mkdtempSync(join(tmpdir(), 'nereid-memory-'))
  try {
    const fd = openSync(join(folder, 'file'), 'wx+', 0o600)
    ftruncateSync(fd, bytes)
    return fd
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
