import { BufferPool } from '../buffer-pool.ts'
import type { Gate } from '../overload/types.ts'
import {
  alreadyRegistered,
  cannotOpen,
  cannotRegister,
  clientsRefused,
  invalid,
  nameNeeded,
  notCuda,
  unknownRegion,
} from './errors.ts'
import { Lease } from './lease.ts'
import { Region } from './region.ts'
import { checkedKey } from './region-key.ts'
import type {
  CudaRegionStatus,
  RegionLease,
  SharedMemory,
  SharedMemoryHost,
  SystemRegionStatus,
} from './types.ts'

/** Open regions of a server, those that a request still uses included. */
export const MAX_REGIONS = 1024
/** Their bytes together: 64 GiB. */
export const MAX_REGION_BYTES: number = 64 * 1024 ** 3
/** How memory that inputs are copied into is used again. Smaller ones than a few pages are not. */
const POOLED_INPUTS = { step: 4096, leastBytes: 16 * 1024 } as const
/** Size of a cudaIpcMemHandle_t. */
export const CUDA_HANDLE_BYTES = 64

type SystemRegion = Parameters<SharedMemory['registerSystem']>[0]
type CudaRegion = Parameters<SharedMemory['registerCuda']>[0]

export interface SharedMemoryOptions {
  /** Default: none, and clients may not register. */
  readonly host?: SharedMemoryHost
  /** `--allow-client-shm`. Default false, as Triton's. */
  readonly enabled?: boolean
  /** Where copies of inputs are counted; a gate that counts bytes and no requests. Default: they are not counted. */
  readonly gate?: Gate
}

/** The regions of a server. */
export function createSharedMemory(options: SharedMemoryOptions): SharedMemory {
  const { host, enabled = false, gate } = options
  return new Regions(enabled ? host : undefined, gate)
}

class Regions implements SharedMemory {
  readonly enabled: boolean
  readonly #host: SharedMemoryHost | undefined
  readonly #gate: Gate | undefined
  readonly #owners = new Map<string, Map<string, Region>>()
  readonly #pool = new BufferPool(POOLED_INPUTS)
  readonly #closed = (region: Region): void => {
    this.#open--
    this.#bytes -= region.byteSize
  }
  #open = 0
  #bytes = 0

  constructor(host: SharedMemoryHost | undefined, gate: Gate | undefined) {
    this.#host = host
    this.#gate = gate
    this.enabled = host !== undefined
  }

  registerSystem({ name, key, offset, byteSize, owner }: SystemRegion): void {
    const host = this.#allowed()
    if (name === '') throw nameNeeded('system')
    const plain = checkedKey(name, key)
    const regions = this.#owners.get(owner)
    if (regions?.has(name)) throw alreadyRegistered(name)
    if (!isSize(offset) || !isSize(byteSize) || byteSize === 0) {
      throw cannotRegister(name, 'invalid args')
    }
    if (this.#open >= MAX_REGIONS) {
      throw cannotRegister(name, `the server has ${MAX_REGIONS} regions, which is the limit`)
    }
    if (byteSize > MAX_REGION_BYTES - this.#bytes) {
      throw cannotRegister(name, `regions may have ${MAX_REGION_BYTES} bytes together`)
    }
    const file = host.open(plain)
    if (file === null) throw cannotOpen(key)
    try {
      if (byteSize > file.size() - offset) throw cannotRegister(name, 'invalid args')
      const region = new Region({ name, key, offset, byteSize }, file, this.#closed)
      if (regions === undefined) this.#owners.set(owner, new Map([[name, region]]))
      else regions.set(name, region)
    } catch (error) {
      file.close()
      throw error
    }
    this.#open++
    this.#bytes += byteSize
  }

  unregisterSystem(name: string, owner: string): void {
    this.#allowed()
    const regions = this.#owners.get(owner)
    if (regions === undefined) return
    const gone = name === '' ? [...regions.values()] : [regions.get(name)]
    for (const region of gone) {
      if (region === undefined) continue
      regions.delete(region.name)
      region.drop()
    }
    if (regions.size === 0) this.#owners.delete(owner)
  }

  systemStatus(name: string, owner: string): readonly SystemRegionStatus[] {
    const regions = this.#owners.get(owner)
    if (name === '') return [...(regions?.values() ?? [])].map(statusOf).sort(byName)
    const region = regions?.get(name)
    if (region === undefined) throw unknownRegion(name, 'system')
    return [statusOf(region)]
  }

  registerCuda({ name, rawHandle }: CudaRegion): void {
    this.#allowed()
    if (name === '') throw nameNeeded('cuda')
    if (rawHandle.length !== CUDA_HANDLE_BYTES) {
      throw invalid("'raw_handle' must be a valid base64 encoded cudaIpcMemHandle_t")
    }
    throw invalid(`failed to register CUDA shared memory region: '${name}', GPUs not supported`)
  }

  unregisterCuda(): void {
    this.#allowed()
  }

  cudaStatus(name: string, owner: string): readonly CudaRegionStatus[] {
    if (name === '') return []
    if (this.#owners.get(owner)?.has(name)) throw notCuda(name)
    throw unknownRegion(name, 'cuda')
  }

  lease(owner: string): RegionLease {
    return new Lease(this.#owners.get(owner), this.#pool, this.#gate)
  }

  #allowed(): SharedMemoryHost {
    if (this.#host === undefined) throw clientsRefused()
    return this.#host
  }
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function statusOf({ name, key, offset, byteSize }: Region): SystemRegionStatus {
  return { name, key, offset, byteSize }
}

/** In the order of bytes, as Triton's map has them. */
function byName(a: SystemRegionStatus, b: SystemRegionStatus): number {
  return a.name < b.name ? -1 : 1
}
