import type { ModelConfig } from '../config/types.ts'
import type { ServerError } from '../errors.ts'
import type { InferRequest, InferResponse } from '../infer.ts'
import type { Log, ModelStore } from '../platform.ts'
import type { Datatype, Tensor } from '../tensor.ts'

/** One input or output as the model file itself describes it; -1 = free dimension. */
export interface IoSpec {
  readonly name: string
  readonly datatype: Datatype
  /** Whole shape, batch dimension included; [] for a scalar. */
  readonly shape: readonly number[]
  readonly optional?: boolean
}

/** What a model file says of itself: the source of auto-completion and of the config check. */
export interface ModelIo {
  readonly inputs: readonly IoSpec[]
  readonly outputs: readonly IoSpec[]
}

/** Another model of the server, as one that calls it has it. */
export interface PeerModel {
  readonly ready: boolean
  /** Absent = it is not known before the model is there. */
  readonly config?: ModelConfig
  /** To be called before {@link submit}. Throws ServerError with Triton's text. */
  check(request: InferRequest): void
  submit(request: InferRequest): void
}

export interface PeerOverrides {
  readonly config?: string
  readonly files?: ReadonlyMap<string, Uint8Array>
}

/** The models of the server, for those that call others. */
export interface Peers {
  /** `version` '' = the highest that serves. Throws NOT_FOUND or UNAVAILABLE with Triton's text. Keeps only for a turn. */
  find(name: string, version: string): PeerModel
  /** As the load API does, with `overrides` as they come with it: the config as JSON text, files by name. */
  load(name: string, overrides?: PeerOverrides): Promise<void>
  /** `dependents` = with the models that only it needs. */
  unload(name: string, dependents?: boolean): Promise<void>
}

/** One version of a model as a backend gets to see it. */
export interface ModelSource {
  readonly name: string
  readonly version: number
  /** The user's config with server-wide defaults; not yet completed from the model's own metadata. */
  readonly config: ModelConfig
  /** `--backend-config` pairs for this backend merged over those for any backend. */
  readonly settings: ReadonlyMap<string, string>
  readonly store: ModelStore
  /** The model's folder and the version's folder in `store`. */
  readonly modelPath: string
  readonly versionPath: string
  readonly log: Log
  /** Absent = models cannot call each other. */
  readonly peers?: Peers
}

/** Where an instance runs, from the model's instance groups. */
export interface Placement {
  /** `<group>_<i>` or `<group>_<i>_gpu<d>`, as Triton names instances. */
  readonly name: string
  readonly kind: 'KIND_CPU' | 'KIND_GPU' | 'KIND_MODEL'
  /** Device ordinal for KIND_GPU, else 0. */
  readonly device: number
}

/**
 * Requests that run together. They were checked against the config: same inputs in model order and, ragged inputs
 * aside, same shapes but for the batch dimension.
 */
export interface Batch {
  readonly requests: readonly InferRequest[]
  /** Sum of the requests' batch sizes: rows along axis 0 of the joined tensors; 1 for models without batching. */
  readonly size: number
}

/** Marks of one execution in `Clock.now()` nanoseconds; an instance fills what it can tell, 0 = not told. */
export interface ExecutionMarks {
  /** When the batch began to run. Set by whoever has it run, moved by one who kept it back; no instance touches it. */
  startNs?: number
  /** The GPU it ran on; -1 = none. Set by who placed the instance; no instance touches it. */
  device?: number
  inputEndNs: number
  outputStartNs: number
}

/**
 * How an instance answers a batch: joined outputs, rows in request order (core cuts them apart), or an error for all.
 * `outputs` covers at least every output that any request asked for. `release` lets the instance use the buffers
 * again; core calls it at most once, when every response cut from them was released (see InferResponse.release).
 */
export interface BatchResult {
  readonly outputs: readonly Tensor[]
  /**
   * Requests of the batch that are not answered yet but run again, in a later batch and without START and END
   * (`iterative_sequence` models only). An instance may have sent them responses that are not final.
   */
  readonly again?: readonly InferRequest[]
  /**
   * Instead of `outputs`, where they cannot be joined: one answer for each request of the batch, in its order; what stands for
   * one that runs again is not looked at. Not for models with implicit state.
   */
  readonly answers?: readonly (InferResponse | ServerError)[]
  /**
   * Outputs that `answers`, or `outputs` for one request alone, lack stay out, and they have the shapes that the model gave
   * them, as with Triton's Python backend.
   */
  readonly asGiven?: boolean
  readonly release?: () => void
}

export type BatchDone = (result: BatchResult | ServerError) => void

/**
 * How an instance of a decoupled model answers one batch: any number of answers for each request, in any order, also after
 * `done`, until the final one. Calls after it are ignored.
 */
export interface DecoupledAnswers {
  /**
   * An answer for the request at `index` of the batch, or null together with `final`: it has no further one. An error is
   * an answer like others; only `final` ends the request.
   */
  send(index: number, answer: InferResponse | ServerError | null, final: boolean): void
}

/** One copy of a model that executes one batch at a time. */
export interface Instance {
  /**
   * Runs `batch` and calls `done` exactly once: before returning when it ran inline, later otherwise. Never throws.
   * `marks` is filled before `done`. When every request of the batch is cancelled, an instance that can stop early does.
   *
   * A decoupled model gets `answers` and sends its responses through it; its `done` only says that the instance is free
   * (`outputs` has no more than the states of sequences), or that the execution failed, which answers every request that
   * has no final answer yet. The batch stays as it is until its last final answer. The instance
   * looks at `request.cancelled` and `request.congested` between answers. Other models get none.
   */
  execute(
    batch: Batch,
    marks: ExecutionMarks,
    done: BatchDone,
    answers?: DecoupledAnswers | null,
  ): void
  /** Stops what runs if it can, answers that still come included. Optional. */
  terminate?(): void
  /**
   * The client of `request`, of a decoupled model, has left: its answers may end now instead of when the instance next looks
   * at `request.cancelled`. Called at most once for a request, while it has no final answer. Optional.
   */
  cancelled?(request: InferRequest): void
  /**
   * Where batches may be given while the instance runs one: each takes one at a time, which runs when those before it have, and is
   * given none while it is not `ready`. They save the way to a process and back between two short executions. Not used for
   * decoupled models, for sequences, or where batches are formed of what waits. Absent = nowhere.
   */
  readonly ahead?: readonly Instance[]
  /** False while what runs the model is being restarted. Absent = always true. */
  readonly ready?: boolean
  /** What the model itself says of whether it is ready. Rejects where it fails to say so. Absent = it says nothing. */
  tellReady?(): Promise<boolean>
  close(): Promise<void>
}

/** A loaded model file. */
export interface BackendModel {
  /** What the file says of itself; absent where a backend cannot tell. */
  readonly io?: ModelIo
  /** What it says of itself as a config: fields that the user's config lacks are taken from it. */
  readonly config?: ModelConfig
  /** The user's config as the model itself completed it: takes its place as a whole. */
  readonly completed?: ModelConfig
  /** `config` is complete and validated. Throws ServerError with the reason when the placement cannot be had. */
  instance(placement: Placement, config: ModelConfig): Promise<Instance>
  close(): Promise<void>
}

/** Runs models of one kind. */
export interface Backend {
  /** Triton's backend name: `onnxruntime`, `identity`, … */
  readonly name: string
  /** Used when the config names no `default_model_filename`; '' where models need no file. */
  readonly defaultModelFilename: string
  /** Placement of `KIND_AUTO` groups and how many instances a CPU group has by default (Triton: 2 for onnxruntime). */
  readonly defaultCpuInstances?: number
  /** GPUs usable by this backend on this machine. Default none. */
  readonly gpus?: readonly number[]
  load(source: ModelSource, signal?: AbortSignal): Promise<BackendModel>
  close?(): Promise<void>
}
