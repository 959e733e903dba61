import type { BackendModel, Instance } from '../backend/types.ts'
import type { ModelConfig, VersionPolicy } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import { RETRY_AFTER_SECS } from '../overload/types.ts'
import type { Clock } from '../platform.ts'
import type { Scheduler } from '../schedulers/types.ts'
import type { ServedModel, TensorMetadata } from '../server-types.ts'
import type { ModelStats } from '../stats.ts'
import type { Labels } from './labels.ts'
import { tensorMetadata } from './metadata.ts'

export interface LoadedModelOptions {
  readonly name: string
  readonly version: number
  /** Complete and normalized. */
  readonly config: ModelConfig
  readonly check: { check(request: InferRequest): void; readonly checksContent: boolean }
  readonly scheduler: Scheduler
  /** Every instance, passive ones too: closed with the model. */
  readonly instances: readonly Instance[]
  readonly backendModel: BackendModel
  readonly labels: Pick<Labels, 'get'>
  readonly stats: ModelStats
  readonly clock: Clock
  /** What else has to be there before requests can run; absent = nothing. */
  readonly runnable?: () => boolean
  /** See {@link ServedModel.tellReady}. */
  readonly tellReady?: () => Promise<boolean>
  /** What its answers belong to, in the response cache. Default: nobody can tell. */
  readonly identity?: () => string | null
}

/** One loaded version of a model: owns its scheduler, its instances and what the backend loaded. */
export class LoadedModel implements ServedModel {
  readonly name: string
  readonly version: number
  config: ModelConfig
  readonly inputs: readonly TensorMetadata[]
  readonly outputs: readonly TensorMetadata[]
  readonly stats: ModelStats
  readonly checksContent: boolean
  readonly check: (request: InferRequest) => void
  readonly identity: () => string | null
  readonly tellReady?: () => Promise<boolean>
  readonly #scheduler: Scheduler
  readonly #instances: readonly Instance[]
  readonly #backendModel: BackendModel
  readonly #labels: Pick<Labels, 'get'>
  readonly #clock: Clock
  readonly #runnable: (() => boolean) | null
  #inflight = 0
  #holds = 0
  #onDropped: (() => void) | null = null
  #closed = false
  #retired: Promise<void> | null = null

  constructor(options: LoadedModelOptions) {
    this.name = options.name
    this.version = options.version
    this.config = options.config
    const { inputs, outputs } = tensorMetadata(options.config)
    this.inputs = inputs
    this.outputs = outputs
    this.stats = options.stats
    this.checksContent = options.check.checksContent
    this.check = (request) => options.check.check(request)
    this.#scheduler = options.scheduler
    this.#instances = options.instances
    this.#backendModel = options.backendModel
    this.#labels = options.labels
    this.#clock = options.clock
    this.#runnable = options.runnable ?? null
    this.identity = options.identity ?? (() => null)
    if (options.tellReady !== undefined) this.tellReady = options.tellReady
  }

  get pending(): number {
    return this.#scheduler.pending
  }

  /** Requests taken and not yet answered. */
  get inflight(): number {
    return this.#inflight
  }

  /** Whether requests are in flight or on their way: an ensemble that holds the model may still send some. */
  get busy(): boolean {
    return this.#inflight > 0 || this.#holds > 0
  }

  /** Sequences that count on what it remembers of them. */
  get openSequences(): number {
    return this.#scheduler.openSequences ?? 0
  }

  get ready(): boolean {
    return this.#retired === null && (this.#runnable === null || this.#runnable())
  }

  /**
   * Keeps the model open until it is dropped as often as it was held, whatever happens to it in the repository. To be
   * called in the turn in which it was looked up.
   */
  hold(): void {
    this.#holds++
  }

  drop(): void {
    if (--this.#holds === 0) this.#onDropped?.()
  }

  labels(output: string): readonly string[] | undefined {
    return this.#labels.get(output)
  }

  /** A changed version policy concerns the model as a whole: a version that stays in service takes it over. */
  adoptVersionPolicy(policy: VersionPolicy): void {
    this.config = { ...this.config, version_policy: policy }
  }

  submit(request: InferRequest): void {
    if (request.trace !== null) request.trace.begin(request, this)
    if (this.#closed) {
      request.respond(
        new ServerError(
          'UNAVAILABLE',
          `Request for unknown model: '${this.name}' version ${this.version} is not at ready state`,
          { retryAfterSecs: RETRY_AFTER_SECS },
        ),
      )
      return
    }
    this.#inflight++
    request.onSettled = this.#settled
    this.#scheduler.submit(request)
  }

  /** One function for all requests: the hot path makes no closure. */
  readonly #settled = (): void => {
    this.#inflight--
  }

  /**
   * Closes the model when everything it took is answered. A request that was routed here before may still be submitted in
   * the same turn of the event loop. Idempotent; never rejects.
   */
  retire(): Promise<void> {
    this.#retired ??= this.#drain()
    return this.#retired
  }

  /** Stops what runs without waiting for it: the end of a shutdown whose time is up. */
  terminate(): void {
    this.#closed = true
    for (const instance of this.#instances) instance.terminate?.()
  }

  async #drain(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.nextTurn(resolve))
    if (this.#holds > 0) {
      await new Promise<void>((resolve) => {
        this.#onDropped = resolve
      })
    }
    this.#closed = true
    // The scheduler answers what it took before it closes. A scheduler or an instance that fails to close must not keep the rest open.
    await Promise.allSettled([this.#scheduler.close()])
    await closeAll(this.#instances, this.#backendModel)
  }
}

/** Closes instances, then what they share. What fails to close is nobody's answer any more. */
export async function closeAll(
  instances: readonly Instance[],
  backendModel: BackendModel,
): Promise<void> {
  await Promise.allSettled(instances.map((instance) => instance.close()))
  await Promise.allSettled([backendModel.close()])
}
