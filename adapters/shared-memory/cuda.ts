import { messageOf } from '../../core/errors.ts'
import type { Log } from '../../core/platform.ts'
import type { CudaMemory, SharedMemoryFile } from '../../core/shared-memory/types.ts'
import { type Cuda, type DeviceMemory, openCuda } from '../../native/cuda/library.ts'

/**
 * Memory of NVIDIA GPUs that clients let this process use. The driver is loaded by the first call; null where there is none.
 * What it refuses is told in the log, for clients learn as little as from Triton.
 */
export function cudaMemory(log: Log): () => CudaMemory | null {
  let loaded: { readonly memory: CudaMemory | null } | undefined
  return () => {
    loaded ??= { memory: load(log) }
    return loaded.memory
  }
}

function load(log: Log): CudaMemory | null {
  let cuda: Cuda | undefined
  try {
    cuda = openCuda()
  } catch (error) {
    log.error(`no shared memory on GPUs: ${messageOf(error)}`)
  }
  if (cuda === undefined) return null
  const { open } = cuda
  return {
    open(handle, deviceId) {
      try {
        return fileOf(open(handle, deviceId), log)
      } catch (error) {
        log.error(`failed to open CUDA IPC handle: ${messageOf(error)}`)
        return null
      }
    },
  }
}

function fileOf(memory: DeviceMemory, log: Log): SharedMemoryFile {
  const attempt = (what: string, call: () => void): boolean => {
    try {
      call()
      return true
    } catch (error) {
      log.error(`failed to ${what} CUDA shared memory: ${messageOf(error)}`)
      return false
    }
  }
  return {
    size: () => memory.byteSize,
    read: (offset, target) =>
      attempt('read', () => memory.read(offset, target)) ? target.length : 0,
    write: (offset, source) =>
      attempt('write', () => memory.write(offset, source)) ? source.length : 0,
    close: () => void attempt('close', () => memory.close()),
  }
}
