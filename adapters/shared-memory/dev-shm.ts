import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import type { SharedMemoryFile, SharedMemoryHost } from '../../core/shared-memory/types.ts'

/** Where Linux keeps POSIX shared memory objects. */
export const DEV_SHM = '/dev/shm'

/** What is read or written by one call at most: Node refuses 2 GiB. */
export const MAX_CALL_BYTES: number = 2 ** 30

/** A file's bytes without a copy. See {@link SharedMemoryFile.map}. */
export type MapFile = (fd: number, offset: number, byteSize: number) => Uint8Array

export interface DevShmOptions {
  /** Given where clients are trusted not to shrink their objects. Default: bytes are copied. */
  readonly map?: MapFile | undefined
}

// No links: a name in a folder that everybody may write to must not lead anywhere else. Nothing waits for a pipe's writer.
const FLAGS = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * Shared memory of Linux. Objects are read and written by `pread` and `pwrite`, which answer with a short count where a
 * client shrank the object; touching a mapping there would end the process.
 */
export function devShm(options: DevShmOptions = {}): SharedMemoryHost {
  return { open: (name) => openObject(`${DEV_SHM}/${name}`, options.map) }
}

function openObject(path: string, map: MapFile | undefined): SharedMemoryFile | null {
  let fd: number
  try {
    fd = openSync(path, FLAGS)
  } catch {
    return null
  }
  if (!fstatSync(fd).isFile()) {
    closeSync(fd)
    return null
  }
  return new ShmFile(fd, map)
}

/** An open object. */
export class ShmFile implements SharedMemoryFile {
  readonly map?: (offset: number, byteSize: number) => Uint8Array
  readonly #maxCallBytes: number
  #fd: number

  /** `maxCallBytes` is for tests. */
  constructor(fd: number, map: MapFile | undefined, maxCallBytes: number = MAX_CALL_BYTES) {
    this.#fd = fd
    this.#maxCallBytes = maxCallBytes
    if (map !== undefined) this.map = (offset, byteSize) => map(this.#fd, offset, byteSize)
  }

  size(): number {
    return fstatSync(this.#fd).size
  }

  read(offset: number, target: Uint8Array): number {
    let done = 0
    while (done < target.length) {
      const wanted = Math.min(target.length - done, this.#maxCallBytes)
      const count = readSync(this.#fd, target, done, wanted, offset + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  write(offset: number, source: Uint8Array): number {
    // Writing behind the end would make the object grow again.
    if (this.size() < offset + source.length) return 0
    let done = 0
    while (done < source.length) {
      const wanted = Math.min(source.length - done, this.#maxCallBytes)
      const count = writeSync(this.#fd, source, done, wanted, offset + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  close(): void {
    if (this.#fd < 0) return
    closeSync(this.#fd)
    this.#fd = -1
  }
}
