import koffi, { type LibraryHandle } from 'koffi'
import { configureFfi } from '../ffi.ts'
import {
  type AsyncFigure,
  FUNCTIONS,
  type Functions,
  type Handle,
  SUCCESS,
  UUID_BYTES,
} from './functions.ts'

/** The name by which every NVIDIA driver for Linux installs it. */
const LIBRARY = 'libnvidia-ml.so.1'

export interface GpuReading {
  /** Percent of the time. */
  readonly utilization: number | undefined
  /** Bytes. */
  readonly memoryTotal: number | undefined
  readonly memoryUsed: number | undefined
  /** Milliwatts. */
  readonly powerUsage: number | undefined
  readonly powerLimit: number | undefined
  /** Millijoules since the driver was loaded. */
  readonly energy: number | undefined
}

export interface Gpu {
  /** Its number for NVML; CUDA's too under `CUDA_DEVICE_ORDER=PCI_BUS_ID`. */
  readonly index: number
  readonly uuid: string
  /** Bytes, asked for at once: for decisions, not for every request. Undefined where the device does not tell. */
  memory(): { readonly total: number; readonly used: number } | undefined
  /** Everything it tells, off the event loop; undefined = it does not. */
  read(): Promise<GpuReading>
}

/** The driver's view of the GPUs of this machine, or of this container. */
export interface Nvml {
  readonly gpus: readonly Gpu[]
  /** No reading may be in flight. Idempotent. */
  close(): void
}

/**
 * Loads NVML; undefined where there is no NVIDIA driver. Throws where there is one that cannot be used, with its reason.
 */
export function openNvml(): Nvml | undefined {
  configureFfi()
  let library: LibraryHandle
  try {
    library = koffi.load(LIBRARY)
  } catch {
    return undefined
  }
  const bound: Record<string, unknown> = {}
  for (const [name, [symbol, parameters]] of Object.entries(FUNCTIONS)) {
    bound[name] = library.func(symbol, 'int', [...parameters])
  }
  bound['errorString'] = library.func('nvmlErrorString', 'str', ['int'])
  const nvml = bound as unknown as Functions
  const check = (result: number): void => {
    if (result !== SUCCESS) throw new Error(`NVML: ${nvml.errorString(result)}`)
  }
  check(nvml.init())
  try {
    const count = new Uint32Array(1)
    check(nvml.count(count))
    const gpus: Gpu[] = []
    for (let index = 0; index < (count[0] ?? 0); index++) {
      const handle = new BigUint64Array(1)
      // One that fell off its bus is not there.
      if (nvml.handle(index, handle) === SUCCESS) gpus.push(gpuOf(nvml, index, handle[0] ?? 0n))
    }
    let open = true
    return {
      gpus,
      close: () => {
        if (open) nvml.shutdown()
        open = false
      },
    }
  } catch (error) {
    nvml.shutdown()
    throw error
  }
}

function gpuOf(nvml: Functions, index: number, handle: Handle): Gpu {
  const bytes = new Uint8Array(UUID_BYTES)
  const named = nvml.uuid(handle, bytes, UUID_BYTES) === SUCCESS
  const uuid = named ? new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0))) : `${index}`
  return {
    index,
    uuid,
    memory() {
      const figures = new BigUint64Array(3)
      if (nvml.memory(handle, figures) !== SUCCESS) return undefined
      return { total: Number(figures[0]), used: Number(figures[2]) }
    },
    async read() {
      const rates = new Uint32Array(2)
      const memory = new BigUint64Array(3)
      const usage = new Uint32Array(1)
      const limit = new Uint32Array(1)
      const energy = new BigUint64Array(1)
      const [rated, sized, used, limited, counted] = await Promise.all([
        ask(nvml.utilization, handle, rates),
        ask(nvml.memory, handle, memory),
        ask(nvml.powerUsage, handle, usage),
        ask(nvml.powerLimit, handle, limit),
        ask(nvml.energy, handle, energy),
      ])
      return {
        utilization: rated ? rates[0] : undefined,
        memoryTotal: sized ? Number(memory[0]) : undefined,
        memoryUsed: sized ? Number(memory[2]) : undefined,
        powerUsage: used ? usage[0] : undefined,
        powerLimit: limited ? limit[0] : undefined,
        energy: counted ? Number(energy[0]) : undefined,
      }
    },
  }
}

/** Whether the device had an answer; `into` stays where it is until then. */
function ask(figure: AsyncFigure, handle: Handle, into: ArrayBufferView): Promise<boolean> {
  return new Promise((resolve) => {
    figure.async(handle, into, (error, result) => resolve(error === null && result === SUCCESS))
  })
}
