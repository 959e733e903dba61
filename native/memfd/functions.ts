/** What is used of the C library: result, arguments. Addresses travel as `uintptr_t`. */
export const FUNCTIONS = {
  memfd_create: ['int', ['str', 'uint']],
  fcntl: ['int', ['int', 'int', '...']],
} as const

export const MFD_CLOEXEC = 1
export const MFD_ALLOW_SEALING = 2
export const F_ADD_SEALS = 1033
/** No further seals; no shrinking. */
export const F_SEAL_SEAL = 1
export const F_SEAL_SHRINK = 2

export interface Functions {
  memfd_create(name: string, flags: number): number
  fcntl(fd: number, command: number, type: 'int', value: number): number
}
