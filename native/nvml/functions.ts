/** What is used of NVML: symbol, parameters. Everything returns an `nvmlReturn_t`; handles travel as `uintptr_t`. */
export const FUNCTIONS = {
  init: ['nvmlInit_v2', []],
  shutdown: ['nvmlShutdown', []],
  count: ['nvmlDeviceGetCount_v2', ['void *']],
  handle: ['nvmlDeviceGetHandleByIndex_v2', ['uint32', 'void *']],
  uuid: ['nvmlDeviceGetUUID', ['uintptr_t', 'void *', 'uint32']],
  utilization: ['nvmlDeviceGetUtilizationRates', ['uintptr_t', 'void *']],
  memory: ['nvmlDeviceGetMemoryInfo', ['uintptr_t', 'void *']],
  powerUsage: ['nvmlDeviceGetPowerUsage', ['uintptr_t', 'void *']],
  powerLimit: ['nvmlDeviceGetPowerManagementLimit', ['uintptr_t', 'void *']],
  energy: ['nvmlDeviceGetTotalEnergyConsumption', ['uintptr_t', 'void *']],
} as const

/** The figures that are asked for of a device; all are written to one place. */
export type FigureName = 'utilization' | 'memory' | 'powerUsage' | 'powerLimit' | 'energy'

/** `NVML_SUCCESS`. */
export const SUCCESS = 0
/** Bytes that hold the longest UUID (`NVML_DEVICE_UUID_V2_BUFFER_SIZE`). */
export const UUID_BYTES = 96

export type Handle = number | bigint

export interface AsyncFigure {
  (device: Handle, into: ArrayBufferView): number
  async(
    device: Handle,
    into: ArrayBufferView,
    done: (error: Error | null, result: number) => void,
  ): void
}

export interface Functions extends Readonly<Record<FigureName, AsyncFigure>> {
  init(): number
  shutdown(): number
  count(into: Uint32Array): number
  handle(index: number, into: BigUint64Array): number
  uuid(device: Handle, into: Uint8Array, length: number): number
  /** Text of a result, static memory. */
  errorString(result: number): string
}
