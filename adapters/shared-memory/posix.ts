import { ServerError } from '../../core/errors.ts'
import type { SharedMemoryHost } from '../../core/shared-memory/types.ts'
import { devShm, ShmFile } from './dev-shm.ts'

export interface PosixOptions {
  /** `--shm-trust-clients`: regions are mapped instead of copied. Default false. */
  readonly trustClients?: boolean
  /** Default: this process's. */
  readonly platform?: NodeJS.Platform
}

/**
 * POSIX shared memory on this machine. Rejects where `trustClients` needs an FFI that cannot be loaded. macOS reads and
 * writes shared memory through mappings only, so there it takes `trustClients`.
 */
export async function posixSharedMemory(options: PosixOptions = {}): Promise<SharedMemoryHost> {
  const { trustClients = false, platform = process.platform } = options
  if (platform === 'linux' && !trustClients) return devShm()
  if (platform === 'win32') return without('is currently not supported on Windows')
  if (!trustClients) return without(`on ${platform} needs --shm-trust-clients`)
  // koffi is loaded only where a mapping was asked for.
  const { loadPosixMemory } = await import('../../native/shm/library.ts')
  const memory = loadPosixMemory()
  const { map } = memory
  if (platform === 'linux') return devShm({ map })
  return {
    open(name) {
      const fd = memory.open(`/${name}`)
      return fd < 0 ? null : new ShmFile(fd, map)
    },
  }
}

function without(what: string): SharedMemoryHost {
  return {
    open() {
      throw new ServerError('UNSUPPORTED', `Shared memory feature ${what}`)
    },
  }
}
