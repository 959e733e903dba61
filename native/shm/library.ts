import koffi from 'koffi'
import { configureFfi } from '../ffi.ts'
import {
  FUNCTIONS,
  type Functions,
  MAP_FAILED,
  MAP_SHARED,
  O_RDWR,
  PROT_READ_WRITE,
} from './functions.ts'

/** Pages begin at multiples of this on every platform there is (4, 16 and 64 KiB). */
const PAGE_BYTES = 64 * 1024

/** POSIX shared memory by the C library. */
export interface PosixMemory {
  /** Opens an object for reading and writing; -1 where that fails. `name` begins with a slash. */
  open(name: string): number
  /**
   * The bytes of an open file from `offset`, shared with everybody who has it open. Touching a page that the file does
   * not have any more ends the process. Stays mapped until no view on the result is reachable, whatever becomes of
   * `fd`. Throws where the system refuses.
   */
  map(fd: number, offset: number, byteSize: number): Uint8Array
  /** Mappings that were not given back yet. */
  readonly mapped: number
}

interface Mapping {
  readonly address: number
  readonly bytes: number
}

/** Loads the C library of this process; throws where there is no FFI or the system has no such functions. */
export function loadPosixMemory(): PosixMemory {
  configureFfi()
  // The process itself: its C library is never unmapped.
  const library = koffi.load(null)
  const bind = (name: keyof typeof FUNCTIONS): unknown =>
    library.func(name, FUNCTIONS[name][0], [...FUNCTIONS[name][1]])
  const { mmap, munmap, shm_open } = {
    mmap: bind('mmap'),
    munmap: bind('munmap'),
    shm_open: bind('shm_open'),
  } as Functions
  let mapped = 0
  // A buffer that is collected was reachable from no view: only then nobody can touch its pages any more.
  const unmapper = new FinalizationRegistry<Mapping>(({ address, bytes }) => {
    munmap(address, bytes)
    mapped--
  })

  return {
    get mapped() {
      return mapped
    },
    open: (name) => shm_open(name, O_RDWR),
    map(fd, offset, byteSize) {
      if (!(Number.isSafeInteger(offset + byteSize) && offset >= 0 && byteSize > 0)) {
        throw new Error(`cannot map ${byteSize} bytes at ${offset}`)
      }
      const before = offset % PAGE_BYTES
      const bytes = before + byteSize
      const address = Number(mmap(0, bytes, PROT_READ_WRITE, MAP_SHARED, fd, offset - before))
      if (address >= MAP_FAILED) throw new Error(`cannot map ${byteSize} bytes at ${offset}`)
      let buffer: ArrayBuffer
      try {
        buffer = koffi.view(address, bytes)
      } catch (error) {
        munmap(address, bytes)
        throw error
      }
      mapped++
      unmapper.register(buffer, { address, bytes })
      return new Uint8Array(buffer, before, byteSize)
    },
  }
}
