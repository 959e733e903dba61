import type { Restriction } from '../../core/access/restrictions.ts'
import type { LogSettings } from '../../core/server-types.ts'

/** Everything the command line says, with Triton's defaults filled in: what a target builds its server from. */
export interface ServeOptions {
  readonly id: string
  readonly exitTimeoutSecs: number
  readonly log: LogSettings
  /** Empty = none given. */
  readonly modelRepositories: readonly string[]
  readonly exitOnError: boolean
  readonly disableAutoComplete: boolean
  readonly strictReadiness: boolean
  readonly modelControlMode: 'none' | 'poll' | 'explicit'
  readonly repositoryPollSecs: number
  readonly loadModels: readonly string[]
  /** '' = none. */
  readonly modelConfigName: string
  readonly modelLoadThreadCount: number
  readonly modelLoadRetryCount: number
  /** Backend → setting → value; '' = all backends. */
  readonly backendConfig: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly onnxRuntime: 'ffi' | 'node'
  readonly http: HttpFlags
  readonly metrics: MetricsFlags
  readonly sharedMemory: SharedMemoryFlags
}

export interface SharedMemoryFlags {
  /** Clients may register regions. */
  readonly enabled: boolean
  /** Regions are mapped instead of copied. */
  readonly trustClients: boolean
}

export interface HttpFlags {
  readonly enabled: boolean
  readonly address: string
  /** 0 = any free port. */
  readonly port: number
  readonly reusePort: boolean
  readonly restrictions: readonly Restriction[]
  readonly maxBodyBytes: number
  readonly maxChunks: number
  readonly maxJsonHeaderBytes: number
  readonly maxInflateRatio: number
  readonly maxTensors: number
  readonly maxHeaderBytes: number
  readonly maxConnections: number
  readonly headerTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly keepAliveMs: number
}

export interface MetricsFlags {
  readonly enabled: boolean
  readonly cpu: boolean
  readonly address: string
  /** 0 = any free port. */
  readonly port: number
  readonly intervalMs: number
  readonly maxSeries: number
  readonly counterLatencies: boolean
  readonly summaryLatencies: boolean
  /** In rising order, each above 0 and below 1. */
  readonly summaryQuantiles: readonly number[]
}
