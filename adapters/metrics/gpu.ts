import { messageOf } from '../../core/errors.ts'
import { GPU_FAMILIES, type GpuFamilyKey } from '../../core/metrics/families.ts'
import type { FamilySamples, Sample } from '../../core/metrics/model-series.ts'
import type { Log } from '../../core/platform.ts'
import type { Gpu, GpuReading, Nvml } from '../../native/nvml/library.ts'

/** The GPUs of this machine as its driver knows them. */
export interface Gpus {
  readonly indices: readonly number[]
  /** What series of a GPU are labelled with; undefined where no metrics are made of it. */
  uuid(index: number): string | undefined
  /** Empty until a reading was made. */
  families(): readonly FamilySamples[]
  /** Bytes of one GPU, now; undefined where nobody knows. */
  memory(index: number): { readonly total: number; readonly used: number } | undefined
  /** Waits for a reading in flight. Idempotent. */
  close(): Promise<void>
}

export interface GpusOptions {
  readonly log: Log
  /** Time between two readings, milliseconds (`--metrics-interval-ms`); undefined = none are made (`--allow-gpu-metrics`). */
  readonly intervalMs: number | undefined
}

const NO_GPUS: Gpus = {
  indices: [],
  uuid: () => undefined,
  families: () => [],
  memory: () => undefined,
  close: () => Promise.resolve(),
}
/** Readings are not made more often than this, whatever the interval says. */
const MIN_INTERVAL_MS = 100

/** Asks the NVIDIA driver; where there is none, there are no GPUs and nothing is said of it. */
export async function openGpus(options: GpusOptions): Promise<Gpus> {
  const { log, intervalMs } = options
  let nvml: Nvml | undefined
  try {
    const { openNvml } = await import('../../native/nvml/library.ts')
    nvml = openNvml()
  } catch (error) {
    log.warning(`no GPUs and no metrics of them: ${messageOf(error)}`)
  }
  if (nvml === undefined) return NO_GPUS
  const { gpus, close } = nvml
  const readings = new Map<Gpu, GpuReading>()
  const firstEnergy = new Map<Gpu, number>()
  let current: Promise<void> | undefined

  async function readAll(): Promise<void> {
    await Promise.all(
      gpus.map(async (gpu) => {
        const reading = await gpu.read()
        readings.set(gpu, reading)
        if (reading.energy !== undefined && !firstEnergy.has(gpu)) {
          firstEnergy.set(gpu, reading.energy)
        }
      }),
    )
  }
  /** One at a time: a driver that hangs holds up nothing but its figures. */
  function refresh(): void {
    current ??= readAll().finally(() => {
      current = undefined
    })
  }
  let timer: NodeJS.Timeout | undefined
  if (intervalMs !== undefined && gpus.length > 0) {
    refresh()
    timer = setInterval(refresh, Math.max(MIN_INTERVAL_MS, intervalMs)).unref()
  }

  let closing: Promise<void> | undefined
  return {
    indices: gpus.map(({ index }) => index),
    uuid: (index) =>
      intervalMs === undefined ? undefined : gpus.find((gpu) => gpu.index === index)?.uuid,
    families: () => gpuFamilies(readings, firstEnergy),
    memory: (index) => gpus.find((gpu) => gpu.index === index)?.memory(),
    close() {
      clearInterval(timer)
      closing ??= Promise.resolve(current).then(close)
      return closing
    },
  }
}

const FIGURES: Readonly<
  Record<GpuFamilyKey, (reading: GpuReading, firstEnergy: number) => number | undefined>
> = {
  utilization: ({ utilization }) => scaled(utilization, 100),
  memoryTotal: ({ memoryTotal }) => memoryTotal,
  memoryUsed: ({ memoryUsed }) => memoryUsed,
  powerUsage: ({ powerUsage }) => scaled(powerUsage, 1000),
  powerLimit: ({ powerLimit }) => scaled(powerLimit, 1000),
  energy: ({ energy }, first) => (energy === undefined ? undefined : scaled(energy - first, 1000)),
}

function scaled(value: number | undefined, unit: number): number | undefined {
  return value === undefined ? undefined : value / unit
}

function gpuFamilies(
  readings: ReadonlyMap<Gpu, GpuReading>,
  firstEnergy: ReadonlyMap<Gpu, number>,
): FamilySamples[] {
  const families: FamilySamples[] = []
  for (const key of Object.keys(FIGURES) as GpuFamilyKey[]) {
    const samples: Sample[] = []
    for (const [gpu, reading] of readings) {
      const value = FIGURES[key](reading, firstEnergy.get(gpu) ?? 0)
      if (value !== undefined) samples.push({ labels: { gpu_uuid: gpu.uuid }, value })
    }
    if (samples.length > 0) families.push({ family: GPU_FAMILIES[key], samples })
  }
  return families
}
