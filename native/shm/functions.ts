/** What is used of the C library: result, arguments. Addresses travel as `uintptr_t`. */
export const FUNCTIONS = {
  mmap: ['uintptr_t', ['uintptr_t', 'size_t', 'int', 'int', 'int', 'int64_t']],
  munmap: ['int', ['uintptr_t', 'size_t']],
  shm_open: ['int', ['str', 'int']],
} as const

/** Read and write. */
export const PROT_READ_WRITE = 3
export const MAP_SHARED = 1
/** `(void *) -1` as koffi returns it. */
export const MAP_FAILED: number = 2 ** 64
export const O_RDWR = 2

export interface Functions {
  mmap(
    at: number,
    bytes: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): number | bigint
  munmap(address: number, bytes: number): number
  shm_open(name: string, flags: number): number
}
