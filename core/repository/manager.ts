import type { Backend } from '../backend/types.ts'
import type { Caching } from '../cache/caching.ts'
import type { ModelConfig } from '../config/types.ts'
import { messageOf, ServerError } from '../errors.ts'
import type { ModelStore, Platform } from '../platform.ts'
import type { RateLimiter } from '../rate-limit/types.ts'
import type { ModelControlMode } from '../server-options.ts'
import type { LoadOverrides } from '../server-types.ts'
import { diffRepository } from './diff.ts'
import { modelPath } from './layout.ts'
import type { ModelRecord } from './lifecycle.ts'
import { LoadGroup } from './load-group.ts'
import type { LoaderOptions } from './loader.ts'
import { ModelOperations, type OperationsOptions } from './operations.ts'
import { findModel, inlineModel, type PlanOptions, pinModel } from './plan.ts'
import { isPassing } from './replaced.ts'
import { afterFaults, scanRepositories } from './scan.ts'
import type { ModelFiles } from './snapshot.ts'

export interface ManagerOptions {
  readonly platform: Platform
  readonly stores: readonly ModelStore[]
  readonly backends: ReadonlyMap<string, Backend>
  /** See {@link LoaderOptions.finder}. */
  readonly finder?: LoaderOptions['finder']
  readonly backendConfig: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly mode: ModelControlMode
  readonly autoComplete: boolean
  readonly configName: string
  readonly threads: number
  readonly retries: number
  readonly limiter: RateLimiter | undefined
  readonly caching: Caching | undefined
  /** See {@link LoaderOptions.peers}. */
  readonly peers?: LoaderOptions['peers']
  /** See {@link PlanOptions.guard}. */
  readonly guard?: PlanOptions['guard']
  /** See {@link LoaderOptions.claim}. */
  readonly claim?: LoaderOptions['claim']
  /** See {@link OperationsOptions.parts}. */
  readonly parts?: OperationsOptions['parts']
  /** Throws what else keeps a configuration from being served. Absent = nothing. */
  readonly checkConfig?: ((config: ModelConfig) => void) | undefined
  /** Called in the turn in which what a model serves changed. */
  readonly changed: (record: ModelRecord) => void
}

/** What may be done to the models of the repositories in each control mode, and what a start and a poll do. */
export class RepositoryManager {
  readonly #options: ManagerOptions
  readonly #operations: ModelOperations
  readonly #abort = new AbortController()
  #seen: ReadonlyMap<string, ModelFiles> = new Map()
  /** Models whose last load failed for a reason that may pass: the next poll tries again. */
  readonly #again = new Set<string>()

  constructor(options: ManagerOptions) {
    this.#options = options
    this.#operations = new ModelOperations({
      ...options,
      control: {
        load: (name, overrides = {}) => this.load(name, overrides),
        unload: (name, dependents = false) => this.unload(name, dependents),
      },
      planOptions: () => this.#planOptions(),
      signal: this.#abort.signal,
    })
  }

  /** By model name. */
  get records(): ReadonlyMap<string, ModelRecord> {
    return this.#operations.records
  }

  /** Requests taken and not yet answered, those of models that are out of service included. */
  get inflight(): number {
    let count = 0
    for (const model of this.#operations.models()) count += model.inflight
    return count
  }

  /** Stops what runs without waiting for it. */
  terminate(): void {
    for (const model of this.#operations.models()) model.terminate()
  }

  /** Loads everything the repositories hold. Returns what went wrong, one line each; a model's failure stops no other. */
  async loadAll(): Promise<readonly string[]> {
    const scan = await scanRepositories(this.#planOptions())
    this.#seen = scan.models
    for (const [name, problem] of scan.broken) this.#operations.refuse(name, problem)
    return [...scan.problems, ...(await this.#loadTogether(scan.models.values()))]
  }

  /** Loads models by name, for the start in explicit mode. Returns what went wrong, one line each. */
  async loadNamed(names: readonly string[]): Promise<readonly string[]> {
    const results = await Promise.allSettled([...new Set(names)].map((name) => this.load(name, {})))
    return problemsOf(results)
  }

  /**
   * The load API (REPO-16..18, 21); the models an ensemble is made of are loaded first. Resolves when the model serves.
   * Throws with Triton's texts.
   */
  async load(name: string, overrides: LoadOverrides): Promise<void> {
    this.#requireExplicit()
    modelPath(name)
    await this.#load(name, overrides)
  }

  /** Notes what the repositories hold and loads nothing. Returns it by name, and what is wrong, one line each. */
  async learnAll(): Promise<{
    readonly models: ReadonlyMap<string, ModelFiles>
    readonly problems: readonly string[]
  }> {
    const scan = await scanRepositories(this.#planOptions())
    for (const [name, problem] of scan.broken) this.#operations.refuse(name, problem)
    for (const name of scan.models.keys()) this.#operations.learn(name)
    return { models: scan.models, problems: scan.problems }
  }

  /** As {@link load}, for the server itself: loads what a request asks for. */
  bring(name: string): Promise<void> {
    return this.#load(name, {})
  }

  /** As {@link unload}, for the server itself: makes room. */
  evict(name: string): Promise<void> {
    return this.#operations.take(name)
  }

  /** Whether an ensemble that serves is made of `name`. */
  isNeeded(name: string): boolean {
    return this.#operations.isNeeded(name)
  }

  async #load(name: string, overrides: LoadOverrides): Promise<void> {
    const { files, config } = overrides
    const group: LoadGroup = new LoadGroup((model) =>
      this.#operations.apply(model, {
        find: (options) => findModel(model, options),
        overrides: {},
        explicit: false,
        group,
      }),
    )
    const job = this.#operations.apply(name, {
      find: async (options) => {
        if (files === undefined) return findModel(name, options)
        if (config === undefined) {
          throw new ServerError(
            'NOT_FOUND',
            "Load parameter 'config' must be specified for model file override",
          )
        }
        return inlineModel(name, files, options)
      },
      overrides,
      explicit: true,
      group,
    })
    group.add(name, job)
    await job
  }

  /**
   * The unload API (REPO-19, 20). An idle model is gone when this resolves; one with requests in flight follows when they
   * are answered. With `dependents`, models that were loaded only as parts of this ensemble go too.
   */
  async unload(name: string, dependents: boolean): Promise<void> {
    this.#requireExplicit()
    await this.#operations.take(name, { dependents })
  }

  /** Forgets a model that is not loaded and that no repository has any more: its name counts no longer. */
  forget(name: string): Promise<void> {
    return this.#operations.forget(name)
  }

  /** Compares the repositories with the last poll and applies what changed (REPO-12). Never throws. */
  async poll(): Promise<void> {
    const { log } = this.#options.platform
    const scan = await scanRepositories(this.#planOptions())
    if (this.#abort.signal.aborted) return
    const models = afterFaults(scan, this.#seen)
    const { added, changed, removed } = diffRepository(this.#seen, models)
    this.#seen = models
    const wanted = new Set([...added, ...changed, ...this.#again])
    const loads = [...wanted].flatMap((name) => models.get(name) ?? [])
    // Loads first: an ensemble may have moved away from a model that is gone.
    for (const problem of await this.#loadTogether(loads)) log.error(problem)
    for (const [name, problem] of scan.broken) {
      if (!models.has(name)) this.#operations.refuse(name, problem)
    }
    for (const name of removed) this.#again.delete(name)
    const unloads = removed.map((name) =>
      this.#operations.take(name, { removed: { problem: scan.broken.get(name) ?? '' } }),
    )
    for (const problem of problemsOf(await Promise.allSettled(unloads))) log.error(problem)
  }

  /** Takes every model out of service and starts no more loads. Resolves when all are gone. Idempotent. */
  async close(): Promise<void> {
    this.#abort.abort()
    await this.#operations.close()
  }

  /** Loads models, ensembles after those of them that they are made of. Returns what went wrong, one line each. */
  async #loadTogether(models: Iterable<ModelFiles>): Promise<readonly string[]> {
    const group = new LoadGroup()
    const list = [...models]
    const jobs = list.map((files) => {
      const find = (options: PlanOptions): Promise<ModelFiles> => pinModel(files, options)
      const job = this.#operations.apply(files.name, { find, overrides: {}, explicit: true, group })
      group.add(files.name, job)
      return job
    })
    const results = await Promise.allSettled(jobs)
    for (const [i, { name }] of list.entries()) {
      const result = results[i]
      if (result?.status === 'rejected' && isPassing(result.reason)) this.#again.add(name)
      else this.#again.delete(name)
    }
    return problemsOf(results)
  }

  #requireExplicit(): void {
    if (this.#options.mode === 'explicit') return
    throw new ServerError(
      'UNAVAILABLE',
      'explicit model load / unload is not allowed if polling is enabled',
    )
  }

  #planOptions(): PlanOptions {
    const { stores, autoComplete, configName, platform, guard } = this.#options
    const { log } = platform
    return { stores, autoComplete, configName, guard, log, signal: this.#abort.signal }
  }
}

function problemsOf(results: readonly PromiseSettledResult<void>[]): readonly string[] {
  return results.flatMap((one) =>
    one.status === 'rejected' ? [messageOf(one.reason).trimEnd()] : [],
  )
}
