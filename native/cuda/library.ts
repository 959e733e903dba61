import koffi, { type LibraryHandle } from 'koffi'
import { configureFfi } from '../ffi.ts'
import { FUNCTIONS, type Functions, handleType, LAZY_PEER_ACCESS, SUCCESS } from './functions.ts'

/** The name by which every NVIDIA driver for Linux installs it. */
const LIBRARY = 'libcuda.so.1'

/** One allocation of another process on a GPU. */
export interface DeviceMemory {
  /** Of the whole allocation, bytes. */
  readonly byteSize: number
  /** Fills `target` from `offset`. Throws where the driver refuses. */
  read(offset: number, target: Uint8Array): void
  /** Resolved for every process when it returns. Throws where the driver refuses. */
  write(offset: number, source: Uint8Array): void
  /** Idempotent. Throws where the driver refuses. */
  close(): void
}

export interface Cuda {
  /** Opens a `cudaIpcMemHandle_t` on a device. Throws with the driver's name of what is wrong. */
  open(handle: Uint8Array, ordinal: number): DeviceMemory
}

/** Loads the driver; undefined where there is none. Throws where there is one that cannot be used, with its reason. */
export function openCuda(): Cuda | undefined {
  configureFfi()
  let library: LibraryHandle
  try {
    library = koffi.load(LIBRARY)
  } catch {
    return undefined
  }
  const handle = handleType()
  const bound: Record<string, unknown> = {}
  for (const [name, [symbol, parameters]] of Object.entries(FUNCTIONS)) {
    const types = parameters.map((type) => (type === 'handle' ? handle : type))
    bound[name] = library.func(symbol, 'int', types)
  }
  const cuda = bound as unknown as Functions
  const check = (result: number): void => {
    if (result !== SUCCESS) throw new Error(`CUDA: ${nameOf(cuda, result)}`)
  }
  check(cuda.init(0))

  /** Runs `work` with `context` as the thread's, and gives the thread back the one it had: others use CUDA, too. */
  const within = <T>(context: bigint, work: () => T): T => {
    check(cuda.push(context))
    try {
      return work()
    } finally {
      cuda.pop(new BigUint64Array(1))
    }
  }

  return {
    open(bytes, ordinal) {
      const device = new Int32Array(1)
      check(cuda.device(device, ordinal))
      const index = device[0] ?? 0
      const context = out((into) => check(cuda.retain(into, index)))
      try {
        const address = within(context, () =>
          out((into) => check(cuda.openHandle(into, { reserved: bytes }, LAZY_PEER_ACCESS))),
        )
        try {
          return deviceMemory({ cuda, check, within, context, index, address })
        } catch (error) {
          within(context, () => cuda.closeHandle(address))
          throw error
        }
      } catch (error) {
        cuda.release(index)
        throw error
      }
    },
  }
}

function deviceMemory(opened: {
  readonly cuda: Functions
  readonly check: (result: number) => void
  readonly within: <T>(context: bigint, work: () => T) => T
  readonly context: bigint
  readonly index: number
  readonly address: bigint
}): DeviceMemory {
  const { cuda, check, within, context, index, address } = opened
  const size = new BigUint64Array(1)
  const base = within(context, () => out((into) => check(cuda.range(into, size, address))))
  // A handle stands for a whole allocation; what lies before the address is nobody's business.
  const byteSize = Number((size[0] ?? 0n) - (address - base))
  let open = true
  const inside = (offset: number, length: number): void => {
    if (!open) throw new Error('CUDA: the memory is closed')
    if (offset < 0 || length > byteSize - offset) throw new Error('CUDA: outside of the memory')
  }
  return {
    byteSize,
    read(offset, target) {
      inside(offset, target.length)
      const from = address + BigInt(offset)
      within(context, () => check(cuda.toHost(target, from, target.length)))
    },
    write(offset, source) {
      inside(offset, source.length)
      within(context, () => {
        check(cuda.toDevice(address + BigInt(offset), source, source.length))
        // The copy returns when it has taken the bytes; other processes may look only when they have arrived.
        check(cuda.synchronize(0))
      })
    },
    close() {
      if (!open) return
      open = false
      try {
        within(context, () => check(cuda.closeHandle(address)))
      } finally {
        cuda.release(index)
      }
    },
  }
}

function out(call: (into: BigUint64Array) => void): bigint {
  const into = new BigUint64Array(1)
  call(into)
  return into[0] ?? 0n
}

function nameOf(cuda: Functions, result: number): string {
  const text = new BigUint64Array(1)
  if (cuda.errorName(result, text) !== SUCCESS) return `result ${result}`
  return koffi.decode(text[0] ?? 0n, 'char', -1)
}
