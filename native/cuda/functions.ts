import koffi, { type TypeObject } from 'koffi'

/** Bytes of a `CUipcMemHandle`, which is a `cudaIpcMemHandle_t`. */
export const HANDLE_BYTES = 64
/** `CUDA_SUCCESS`. */
export const SUCCESS = 0
/** `CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS`, the only flag there is. */
export const LAZY_PEER_ACCESS = 1

/** Travels by value. Made once for each library: koffi keeps types by name. */
export const handleType = (): TypeObject =>
  koffi.struct({ reserved: koffi.array('uint8', HANDLE_BYTES, 'Typed') })

/** What is used of the driver's API. Everything returns a `CUresult`; contexts and addresses travel as `uintptr_t`. */
export const FUNCTIONS = {
  init: ['cuInit', ['uint32']],
  device: ['cuDeviceGet', ['void *', 'int']],
  retain: ['cuDevicePrimaryCtxRetain', ['void *', 'int']],
  release: ['cuDevicePrimaryCtxRelease_v2', ['int']],
  push: ['cuCtxPushCurrent_v2', ['uintptr_t']],
  pop: ['cuCtxPopCurrent_v2', ['void *']],
  openHandle: ['cuIpcOpenMemHandle_v2', ['void *', 'handle', 'uint32']],
  closeHandle: ['cuIpcCloseMemHandle', ['uintptr_t']],
  range: ['cuMemGetAddressRange_v2', ['void *', 'void *', 'uintptr_t']],
  toHost: ['cuMemcpyDtoH_v2', ['void *', 'uintptr_t', 'size_t']],
  toDevice: ['cuMemcpyHtoD_v2', ['uintptr_t', 'void *', 'size_t']],
  /** Of the default stream. */
  synchronize: ['cuStreamSynchronize', ['uintptr_t']],
  errorName: ['cuGetErrorName', ['int', 'void *']],
} as const

export interface Functions {
  init(flags: number): number
  device(into: Int32Array, ordinal: number): number
  retain(into: BigUint64Array, device: number): number
  release(device: number): number
  push(context: bigint): number
  pop(into: BigUint64Array): number
  openHandle(into: BigUint64Array, handle: { reserved: Uint8Array }, flags: number): number
  closeHandle(address: bigint): number
  range(base: BigUint64Array, size: BigUint64Array, address: bigint): number
  toHost(into: Uint8Array, address: bigint, bytes: number): number
  toDevice(address: bigint, from: Uint8Array, bytes: number): number
  synchronize(stream: number): number
  /** Writes the address of a text in static memory. */
  errorName(result: number, into: BigUint64Array): number
}
