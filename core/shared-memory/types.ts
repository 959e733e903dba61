/** A piece of a registered region, as a request names it. */
export interface RegionRef {
  readonly region: string
  /** Bytes from the start of the registered part. */
  readonly offset: number
  readonly byteSize: number
}

/** One line of the status of system regions. */
export interface SystemRegionStatus {
  readonly name: string
  readonly key: string
  readonly offset: number
  readonly byteSize: number
}

/** One line of the status of CUDA regions. */
export interface CudaRegionStatus {
  readonly name: string
  readonly deviceId: number
  readonly byteSize: number
}

/** A POSIX shared memory object, opened by key, or a device's memory, opened by handle. What it holds may shrink at any time: nothing about it is trusted twice. */
export interface SharedMemoryFile {
  /** Bytes it has now. */
  size(): number
  /** Fills `target` from `offset`; returns how many bytes were there. Never faults. */
  read(offset: number, target: Uint8Array): number
  /** Writes `source` at `offset`; returns how many bytes were taken. Never faults and never grows the object. */
  write(offset: number, source: Uint8Array): number
  /**
   * The object's bytes without a copy, where the owner trusts clients not to shrink them (`--shm-trust-clients`): touching
   * a page that is gone kills the process. Absent otherwise. Views stay good after {@link close}, as long as they are
   * reachable.
   */
  readonly map?: (offset: number, byteSize: number) => Uint8Array
  /** Idempotent. */
  close(): void
}

/** What a target supplies so that clients can register regions. */
export interface SharedMemoryHost {
  /** The object of a name that is no path and has no leading slash; null where it cannot be opened. */
  open(name: string): SharedMemoryFile | null
  /** The memory of this machine's NVIDIA GPUs; null where there is no driver. Absent = never. */
  cuda?(): CudaMemory | null
}

/** What other processes allocated on NVIDIA GPUs and let this one use. */
export interface CudaMemory {
  /** The allocation that a `cudaIpcMemHandle_t` stands for; null where the driver refuses it. */
  open(handle: Uint8Array, deviceId: number): SharedMemoryFile | null
}

/**
 * The regions that one request uses. They stay open, even when they are unregistered meanwhile, until {@link close}.
 * Errors are ServerError with Triton's texts.
 */
export interface RegionLease {
  /**
   * The bytes of an input: a private copy, so that what was checked is what runs; with trusted clients the memory itself.
   * Starts at a multiple of 8 bytes wherever it is a copy.
   */
  input(ref: RegionRef): Uint8Array
  /** Finds the region an output goes to, before the request runs. */
  output(ref: RegionRef): void
  /** Writes an output. Throws INTERNAL when it does not fit, INVALID_ARG when the region was truncated. */
  write(output: string, ref: RegionRef, data: Uint8Array): void
  /**
   * To be called once no output is written any more. `answered` says that nobody reads the inputs or anything made of
   * them any more, because the run is over and its answer is gone: their memory is used again. Otherwise (errors,
   * cancellations: a run may still read it) it is left to the garbage collector. Idempotent: the first call counts.
   */
  close(answered?: boolean): void
}

/** The registered regions of a server. `owner` is the principal's id: one tenant's names are unknown to another. */
export interface SharedMemory {
  /** True when clients may register (`--allow-client-shm`); otherwise every register and unregister is refused. */
  readonly enabled: boolean
  registerSystem(region: {
    name: string
    key: string
    offset: number
    byteSize: number
    owner: string
  }): void
  /** '' = all. An unknown name is no error. */
  unregisterSystem(name: string, owner: string): void
  /** '' = all. */
  systemStatus(name: string, owner: string): readonly SystemRegionStatus[]
  registerCuda(region: {
    name: string
    rawHandle: Uint8Array
    byteSize: number
    deviceId: number
    owner: string
  }): void
  unregisterCuda(name: string, owner: string): void
  cudaStatus(name: string, owner: string): readonly CudaRegionStatus[]
  lease(owner: string): RegionLease
}
