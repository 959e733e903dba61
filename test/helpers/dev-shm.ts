import { closeSync, openSync, readFileSync, rmSync, truncateSync, writeSync } from 'node:fs'

/** A shared memory object of a test's own, under a name nobody else has. */
export interface ShmObject {
  /** With a slash, as clients write it. */
  readonly key: string
  write(offset: number, bytes: Uint8Array): void
  read(offset: number, size: number): Buffer
  truncate(size: number): void
  remove(): void
}

/** Why tests with real shared memory are skipped; undefined = they run. */
export const NO_DEV_SHM: string | undefined =
  process.platform === 'linux' ? undefined : 'no /dev/shm on this system'

/** Makes an object of `size` zeros. `label` is unique within its test file. */
export function shmObject(label: string, size: number): ShmObject {
  const name = `test-${process.pid}-${label}`
  const path = `/dev/shm/${name}`
  const fd = openSync(path, 'w+')
  truncateSync(path, size)
  return {
    key: `/${name}`,
    write: (offset, bytes) => void writeSync(fd, bytes, 0, bytes.length, offset),
    read: (offset, bytes) => Buffer.from(readFileSync(path).subarray(offset, offset + bytes)),
    truncate: (bytes) => truncateSync(path, bytes),
    remove() {
      closeSync(fd)
      rmSync(path)
    },
  }
}
