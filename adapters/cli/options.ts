import type { Restriction } from '../../core/access/restrictions.ts'
import type { OnDemandOptions, RateResource } from '../../core/server-options.ts'
import type { LogSettings } from '../../core/server-types.ts'
import type { TraceFacts, TraceValues } from '../../core/trace/types.ts'

/** Everything the command line says, with Triton's defaults filled in: what a target builds its server from. */
export interface ServeOptions {
  readonly id: string
  readonly exitTimeoutSecs: number
  /** Between not being ready any more and accepting no work any more. */
  readonly drainDelaySecs: number
  readonly log: LogSettings
  /** Empty = none given. */
  readonly modelRepositories: readonly string[]
  readonly repositoryCache: RepositoryCacheFlags
  /** '' = files are served as they are. */
  readonly modelDigestFile: string
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
  /** Holds a folder for each backend that is a plug-in. */
  readonly backendDirectory: string
  readonly onnxRuntime: 'ffi' | 'node'
  /** GPU → fraction of its memory above which no model is loaded on it. */
  readonly gpuLoadLimits: ReadonlyMap<number, number>
  /** undefined = off. */
  readonly rateLimit: { readonly resources: readonly RateResource[] } | undefined
  /** undefined = models are loaded as the control mode says. */
  readonly loadOnDemand: OnDemandOptions | undefined
  /** Versions of a model may share its requests. */
  readonly modelTraffic: boolean
  /** undefined = no response is kept. */
  readonly cache: CacheFlags | undefined
  readonly http: HttpFlags
  readonly grpc: GrpcFlags
  readonly metrics: MetricsFlags
  readonly sharedMemory: SharedMemoryFlags
  readonly access: AccessFlags
  readonly overload: OverloadFlags
  readonly trace: TraceFlags
  readonly sagemaker: SageMakerFlags
  readonly vertex: VertexFlags
}

/** A port for SageMaker's requests. */
export interface SageMakerFlags {
  readonly enabled: boolean
  readonly address: string
  /** 0 = any free port. */
  readonly port: number
  readonly pingMode: 'ready' | 'live'
  readonly defaultModel: string
  readonly inferenceType: 'infer' | 'generate' | 'generate_stream'
  /** Where archives of many models are unpacked. */
  readonly modelsFolder: string
}

/** A port for Vertex AI's requests. */
export interface VertexFlags {
  readonly enabled: boolean
  readonly address: string
  /** 0 = any free port. */
  readonly port: number
  readonly predictRoute: string
  readonly healthRoute: string
  /** '' = the only model there is. */
  readonly defaultModel: string
}

/** Copies of models on this machine. */
export interface RepositoryCacheFlags {
  /** '' = where such things belong on this machine. */
  readonly folder: string
  /** 0 = what the disk has. */
  readonly maxBytes: number
}

/** What is recorded of requests, and where it goes. */
export interface TraceFlags extends TraceValues, TraceFacts {
  /** To be used in mode `opentelemetry`. */
  readonly export: {
    readonly url: string
    readonly resource: Readonly<Record<string, string>>
    readonly maxQueueSize: number
    readonly scheduleDelayMs: number
    readonly maxBatchSize: number
  }
}

export type CacheFlags = { readonly name: 'local'; readonly size: number } | RedisCacheFlags

/** '' and undefined = not said. */
export interface RedisCacheFlags {
  readonly name: 'redis'
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: number
  readonly connectTimeoutMs: number | undefined
  readonly lookupTimeoutMs: number | undefined
  readonly ttlSecs: number | undefined
  /** Paths of PEM files; undefined = no TLS. */
  readonly tls:
    | {
        readonly ca: string
        readonly cert: string
        readonly key: string
        readonly servername: string
      }
    | undefined
}

/** What is refused when there is too much of it. 0 = never. */
export interface OverloadFlags {
  readonly maxInflight: number
  /** Bytes; undefined = a share of the memory there is. */
  readonly memoryBudget: number | undefined
  readonly lagMs: number
  readonly closePercent: number
  readonly refusePercent: number
}

/** Who is let in, and by which door. '' and empty = not asked for. */
export interface AccessFlags {
  readonly authFile: string
  readonly metricsRequireKey: boolean
  /** Paths of PEM files; `ca` '' = clients need no certificate. */
  readonly httpTls: { readonly cert: string; readonly key: string; readonly ca: string } | undefined
  readonly corsOrigins: readonly string[]
  readonly allowedHosts: readonly string[]
  readonly httpForwardPattern: string
  readonly grpcForwardPattern: string
  /** What is warned of keeps the server from starting. */
  readonly strict: boolean
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
  readonly inferStream: boolean
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

export interface GrpcFlags {
  readonly enabled: boolean
  readonly address: string
  /** 0 = any free port. */
  readonly port: number
  readonly reusePort: boolean
  readonly restrictions: readonly Restriction[]
  readonly transport: 'native' | 'node'
  readonly compression: 'none' | 'low' | 'medium' | 'high'
  readonly maxMessageBytes: number
  readonly maxConcurrentStreams: number
  readonly maxConnections: number
  readonly keepalive: GrpcKeepaliveFlags
  /** Files; null = no TLS. */
  readonly tls: GrpcTlsFlags | null
}

export interface GrpcKeepaliveFlags {
  readonly timeMs: number
  readonly timeoutMs: number
  readonly permitWithoutCalls: boolean
  readonly minRecvPingIntervalWithoutDataMs: number
  readonly maxPingStrikes: number
  /** 0 = unlimited. */
  readonly maxConnectionAgeMs: number
  readonly maxConnectionAgeGraceMs: number
}

export interface GrpcTlsFlags {
  readonly cert: string
  readonly key: string
  /** '' = clients need no certificate. */
  readonly ca: string
}

export interface MetricsFlags {
  readonly enabled: boolean
  readonly cpu: boolean
  readonly gpu: boolean
  readonly address: string
  /** 0 = any free port. */
  readonly port: number
  readonly intervalMs: number
  readonly maxSeries: number
  readonly counterLatencies: boolean
  readonly summaryLatencies: boolean
  readonly histogramLatencies: boolean
  /** In rising order, each above 0 and below 1. */
  readonly summaryQuantiles: readonly number[]
}
