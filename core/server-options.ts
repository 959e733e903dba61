/** `--model-control-mode`: who decides what is loaded. */
export type ModelControlMode = 'none' | 'poll' | 'explicit'

/** `--rate-limit-resource`: how much there is of a resource, whatever the models ask for. */
export interface RateResource {
  readonly name: string
  readonly count: number
  /** Absent = as much on every device. Global resources have no device. */
  readonly device?: number
}

export interface OnDemandOptions {
  /** `--model-memory-budget`: bytes that loaded models may take. 0 = any number. */
  readonly budget: number
  /** `--pin-model`: loaded at start and never unloaded. */
  readonly pinned: readonly string[]
}

/** What `createServer` may be told; names in quotes are Triton's flags. All optional. */
export interface ServerOptions {
  /** `--id`. Default `triton`. */
  readonly id?: string
  /** `--strict-readiness`: ready only while every attempted model is. Default true. */
  readonly strictReadiness?: boolean
  /** `--model-control-mode`. Default `none`: everything is loaded at start and stays. */
  readonly modelControlMode?: ModelControlMode
  /** `--load-model`, explicit mode only: what to load at start; `*` alone means everything. Default nothing. */
  readonly loadModels?: readonly string[]
  /** `--repository-poll-secs`, poll mode only. Default 15. */
  readonly repositoryPollSecs?: number
  /** `--model-load-thread-count`: versions that load at the same time. Default 4. */
  readonly modelLoadThreadCount?: number
  /** `--model-load-retry-count`: how often a failed load is tried again. Default 0. */
  readonly modelLoadRetryCount?: number
  /** `--disable-auto-complete-config`. Default false. */
  readonly disableAutoComplete?: boolean
  /** `--model-config-name`: `configs/<name>.pbtxt` goes before `config.pbtxt`. Default '' = none. */
  readonly modelConfigName?: string
  /** `--backend-config=<backend>,<key>=<value>` by backend; '' holds those for any backend. Default none. */
  readonly backendConfig?: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** `--load-on-demand`: models are loaded at their first request. Default off: as the control mode says. */
  readonly loadOnDemand?: OnDemandOptions | undefined
  /** `--model-traffic`: versions of a model may share its requests, as its config or the API says. Default false. */
  readonly modelTraffic?: boolean
  /**
   * `--rate-limit=execution_count`: instances run by turns and only while their resources are free, with the counts of
   * `--rate-limit-resource`. Default off: what models say about it is ignored.
   */
  readonly rateLimit?: { readonly resources: readonly RateResource[] } | undefined
}

/** Default of `--repository-poll-secs`. */
export const DEFAULT_POLL_SECS = 15
/** Default of `--model-load-thread-count`. */
export const DEFAULT_LOAD_THREADS = 4

/** How long a close waits for requests in flight, milliseconds: the default of `--exit-timeout-secs`. */
export const DEFAULT_EXIT_TIMEOUT_MS = 30_000
