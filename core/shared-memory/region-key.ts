import { invalid } from './errors.ts'

/** Names a server gives to memory of its own: whoever could register one could read and write between its processes. */
export const RESERVED_KEY_PREFIXES: readonly string[] = [
  'triton_python_backend_shm_region_',
  'nereid_',
]
/** Longest name of a shared memory object, characters. */
export const MAX_KEY_LENGTH = 254

/**
 * The plain name behind a key: leading slashes are no part of it. A key that means a path, that is no name at all or
 * that is reserved is refused.
 */
export function checkedKey(region: string, key: string): string {
  const plain = key.replace(/^\/+/, '')
  if (
    plain === '' ||
    plain === '.' ||
    plain === '..' ||
    plain.length > MAX_KEY_LENGTH ||
    plain.includes('/') ||
    plain.includes('\0')
  ) {
    throw invalid(`cannot register shared memory region '${region}' - invalid shm key '${key}'`)
  }
  for (const prefix of RESERVED_KEY_PREFIXES) {
    if (plain.startsWith(prefix)) {
      throw invalid(
        `cannot register shared memory region '${region}' with key '${key}' as the key contains the reserved prefix '${prefix}'`,
      )
    }
  }
  return plain
}
