import { BufferPool } from '../buffer-pool.ts'
import type { Gate } from '../overload/types.ts'
import {
  alreadyRegistered,
  cannotOpen,
  cannotOpenHandle,
  cannotRegister,
  clientsRefused,
  invalid,
  nameNeeded,
  notCuda,
  notSystem,
  type RegionKind,
  unknownRegion,
} from './errors.ts'
import { Lease } from './lease.ts'
import { Region } from './region.ts'
import { checkedKey } from './region-key.ts'
import type {
  CudaRegionStatus,
  RegionLease,
  SharedMemory,
  SharedMemoryFile,
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
type RegionFacts = ConstructorParameters<typeof Region>[0]

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
    this.#checkRoom({ name, offset, byteSize, owner })
    const file = host.open(plain)
    if (file === null) throw cannotOpen(key)
    this.#add(owner, { name, key, offset, byteSize, deviceId: null }, file)
  }

  unregisterSystem(name: string, owner: string): void {
    this.#allowed()
    this.#remove('system', name, owner)
  }

  systemStatus(name: string, owner: string): readonly SystemRegionStatus[] {
    return this.#named('system', name, owner).map(systemStatusOf)
  }

  registerCuda({ name, rawHandle, byteSize, deviceId, owner }: CudaRegion): void {
    const host = this.#allowed()
    if (name === '') throw nameNeeded('cuda')
    if (rawHandle.length !== CUDA_HANDLE_BYTES) {
      throw invalid("'raw_handle' must be a valid base64 encoded cudaIpcMemHandle_t")
    }
    const memory = host.cuda?.() ?? null
    if (memory === null) {
      throw invalid(`failed to register CUDA shared memory region: '${name}', GPUs not supported`)
    }
    this.#checkRoom({ name, offset: 0, byteSize, owner })
    const file = isSize(deviceId) ? memory.open(rawHandle, deviceId) : null
    if (file === null) throw cannotOpenHandle()
    this.#add(owner, { name, key: '', offset: 0, byteSize, deviceId }, file)
  }

  unregisterCuda(name: string, owner: string): void {
    this.#allowed()
    this.#remove('cuda', name, owner)
  }

  cudaStatus(name: string, owner: string): readonly CudaRegionStatus[] {
    return this.#named('cuda', name, owner).map(cudaStatusOf)
  }

  lease(owner: string): RegionLease {
    return new Lease(this.#owners.get(owner), this.#pool, this.#gate)
  }

  #checkRoom(region: { name: string; offset: number; byteSize: number; owner: string }): void {
    const { name, offset, byteSize, owner } = region
    if (this.#owners.get(owner)?.has(name)) throw alreadyRegistered(name)
    if (!isSize(offset) || !isSize(byteSize) || byteSize === 0) {
      throw cannotRegister(name, 'invalid args')
    }
    if (this.#open >= MAX_REGIONS) {
      throw cannotRegister(name, `the server has ${MAX_REGIONS} regions, which is the limit`)
    }
    if (byteSize > MAX_REGION_BYTES - this.#bytes) {
      throw cannotRegister(name, `regions may have ${MAX_REGION_BYTES} bytes together`)
    }
  }

  #add(owner: string, facts: RegionFacts, file: SharedMemoryFile): void {
    const { name, offset, byteSize } = facts
    try {
      if (byteSize > file.size() - offset) throw cannotRegister(name, 'invalid args')
      const region = new Region(facts, file, this.#closed)
      const regions = this.#owners.get(owner)
      if (regions === undefined) this.#owners.set(owner, new Map([[name, region]]))
      else regions.set(name, region)
    } catch (error) {
      file.close()
      throw error
    }
    this.#open++
    this.#bytes += byteSize
  }

  /** A name of the other kind stays. */
  #remove(kind: RegionKind, name: string, owner: string): void {
    const regions = this.#owners.get(owner)
    if (regions === undefined) return
    const gone = name === '' ? [...regions.values()] : [regions.get(name)]
    for (const region of gone) {
      if (region === undefined || kindOf(region) !== kind) continue
      regions.delete(region.name)
      region.drop()
    }
    if (regions.size === 0) this.#owners.delete(owner)
  }

  #named(kind: RegionKind, name: string, owner: string): readonly Region[] {
    const regions = this.#owners.get(owner)
    if (name === '') {
      const all = [...(regions?.values() ?? [])]
      return all.filter((region) => kindOf(region) === kind).sort(byName)
    }
    const region = regions?.get(name)
    if (region === undefined) throw unknownRegion(name, kind)
    if (kindOf(region) !== kind) throw kind === 'cuda' ? notCuda(name) : notSystem(name)
    return [region]
  }

  #allowed(): SharedMemoryHost {
    if (this.#host === undefined) throw clientsRefused()
    return this.#host
  }
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function kindOf({ deviceId }: Region): RegionKind {
  return deviceId === null ? 'system' : 'cuda'
}

function systemStatusOf({ name, key, offset, byteSize }: Region): SystemRegionStatus {
  return { name, key, offset, byteSize }
}

function cudaStatusOf({ name, deviceId, byteSize }: Region): CudaRegionStatus {
  return { name, deviceId: deviceId ?? 0, byteSize }
}

/** In the order of bytes, as Triton's map has them. */
function byName(a: Region, b: Region): number {
  return a.name < b.name ? -1 : 1
}
