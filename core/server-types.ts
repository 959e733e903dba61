import type { ModelConfig } from './config/types.ts'
import type { InferRequest, Parameters } from './infer.ts'
import type { LogLevel } from './platform.ts'
import type { ModelStats } from './stats.ts'
import type { Datatype } from './tensor.ts'
import type { TrafficControl } from './traffic/types.ts'

/** One input or output as clients see it. `shape` has the batch dimension (-1) in front where the model batches. */
export interface TensorMetadata {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
}

export interface ModelMetadata {
  readonly name: string
  readonly versions: readonly string[]
  readonly platform: string
  readonly inputs: readonly TensorMetadata[]
  readonly outputs: readonly TensorMetadata[]
}

/** One loaded version, as front ends see it. */
export interface ServedModel {
  readonly name: string
  readonly version: number
  /** Complete, normalized config. */
  readonly config: ModelConfig
  readonly inputs: readonly TensorMetadata[]
  readonly outputs: readonly TensorMetadata[]
  readonly stats: ModelStats
  /** Requests that wait for execution. */
  readonly pending: number
  /** Lines of the output's label file; undefined where it has none. */
  labels(output: string): readonly string[] | undefined
  /**
   * Checks `request` against the config: puts its inputs in model order and sets `batchSize`. Throws ServerError with
   * Triton's text. Needs nothing but names, datatypes, shapes and sizes, so that a front end may remember the outcome for
   * a header it has seen (BYTES contents are the exception: a model with BYTES inputs sets `checksContent`).
   */
  check(request: InferRequest): void
  /** True when a check depends on tensor bytes, so that its outcome must not be remembered. */
  readonly checksContent: boolean
  /** Queues a request that passed {@link check}. Never throws. */
  submit(request: InferRequest): void
  /** Whether requests can run now. */
  readonly ready: boolean
  /** What the model itself says of that. Never rejects. Absent = it says nothing. */
  readonly tellReady?: () => Promise<boolean>
  /**
   * Only where versions share traffic: the version that is to check and run one request, which has all that its sender
   * and its header say. Each call counts as a request. To be asked between the check and the submit, in their turn.
   */
  route?(request: Routable): ServedModel
}

/** What of a request decides which version runs it. */
export interface Routable {
  readonly sequenceId?: bigint | string
  readonly sequenceStart?: boolean
  readonly sequenceEnd?: boolean
  readonly owner?: string
  readonly parameters?: Parameters | null
}

export type ModelState = 'UNKNOWN' | 'READY' | 'UNAVAILABLE' | 'LOADING' | 'UNLOADING'

/** One line of the repository index. A model that was never loaded has only its name. */
export interface IndexEntry {
  readonly name: string
  readonly version?: string
  readonly state?: ModelState
  readonly reason?: string
}

/** Parameters of a load request. `files` are relative paths (`1/model.onnx`) and their bytes. */
export interface LoadOverrides {
  /** ModelConfig as JSON text. */
  readonly config?: string
  readonly files?: ReadonlyMap<string, Uint8Array>
}

export interface ModelStatisticsEntry {
  readonly name: string
  readonly version: string
  readonly stats: ModelStats
}

/** `/v2/logging`. */
export interface LogSettings {
  log_file: string
  log_info: boolean
  log_warning: boolean
  log_error: boolean
  log_verbose_level: number
  log_format: 'default' | 'ISO8601'
}

/**
 * Models that come when they are asked for and may go again. A front end asks before it looks a model up; for names that are
 * in no repository every answer is yes, so that looking them up says what is wrong.
 */
export interface OnDemand {
  /** Whether requests for `model` can be submitted in this turn. Notes that it is used. */
  here(model: string): boolean
  /** As {@link here}; with true it stays until {@link leave}. */
  enter(model: string): boolean
  leave(model: string): void
  /**
   * Loads it if need be; resolves when it was {@link enter}ed. Requests for one model go on in the order in which they came.
   * Throws UNAVAILABLE when it cannot be loaded, CANCELLED with `signal`. `urgent` is for whoever keeps a model busy until then:
   * its load goes first, past one that waits for room.
   */
  bring(model: string, signal?: AbortSignal, urgent?: boolean): Promise<void>
  /** Whether `model`, which is not loaded, would be for a request; `version` '' = any. */
  offers(model: string, version: string): boolean
  /** Requests that wait for a load. */
  readonly waiting: number
  readonly figures: readonly OnDemandFigures[]
}

export interface OnDemandFigures {
  readonly model: string
  readonly loaded: boolean
  /** What it counts for while it is loaded. */
  readonly bytes: number
  readonly loads: number
  readonly evictions: number
}

/** What every front end talks to. All errors are ServerError with Triton's texts. */
export interface InferenceServer {
  /** `--id`, default `triton`. */
  readonly id: string
  /** The Triton version whose behaviour this server has. */
  readonly version: string
  readonly extensions: readonly string[]
  live(): boolean
  ready(): boolean
  /**
   * Changes whenever {@link model} may answer differently, so that a front end can remember what it looked up.
   */
  readonly generation: number
  /** `version` '' = what the version policy serves under the plain name. Throws NOT_FOUND or UNAVAILABLE. */
  model(name: string, version: string): ServedModel
  modelReady(name: string, version: string): boolean
  /** {@link modelReady}, and what the model itself says of that. Never rejects. */
  askModelReady(name: string, version: string): boolean | Promise<boolean>
  modelMetadata(name: string, version: string): ModelMetadata
  modelConfig(name: string, version: string): ModelConfig
  /** All ready models, one model, or one version. */
  statistics(name?: string, version?: string): readonly ModelStatisticsEntry[]
  /** Every version that metrics should show, with its tags. */
  models(): Iterable<ServedModel>
  index(readyOnly: boolean): Promise<readonly IndexEntry[]>
  load(name: string, overrides: LoadOverrides): Promise<void>
  unload(name: string, unloadDependents: boolean): Promise<void>
  /**
   * Forgets a model that is not loaded, for repositories whose models go for good: else each name that was ever loaded
   * counts as a model. Does nothing while it is loaded. Absent = names are never forgotten.
   */
  forget?(name: string): Promise<void>
  /** Models that are loaded when they are asked for; absent = {@link model} finds whatever there is. */
  readonly onDemand?: OnDemand
  /** How versions share traffic; absent = they do not. */
  readonly traffic?: TrafficControl
  /** Requests taken and not yet answered. */
  readonly inflight: number
  /** Stops taking work, waits for what runs until `timeoutMs`, unloads everything. Idempotent. */
  close(timeoutMs?: number): Promise<void>
}

/** Log control, kept apart because a target's log sink implements it. */
export interface LogControl {
  get(): LogSettings
  /** Throws ServerError with Triton's text for a bad value. */
  set(change: Partial<LogSettings>): LogSettings
  enabled(level: LogLevel): boolean
}
