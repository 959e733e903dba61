import type { Backend } from '../backend/types.ts'
import { messageOf, ServerError } from '../errors.ts'
import type { LoadedModel } from '../model/model.ts'
import type { ModelStore, Platform } from '../platform.ts'
import type { ModelControlMode } from '../server-options.ts'
import type { LoadOverrides } from '../server-types.ts'
import { diffRepository } from './diff.ts'
import { createGate, createKeyedQueue, type Gate, type KeyedQueue } from './gate.ts'
import { modelPath } from './layout.ts'
import { ModelRecord } from './lifecycle.ts'
import { Loader } from './loader.ts'
import { findModel, inlineModel, type ModelPlan, type PlanOptions, planModel } from './plan.ts'
import { afterFaults, scanRepositories } from './scan.ts'
import { MAX_MODELS, type ModelFiles } from './snapshot.ts'
import { statusText } from './status-text.ts'

/** Models whose folders are read at the same time. */
export const MAX_PARALLEL_SCANS = 16

export interface ManagerOptions {
  readonly platform: Platform
  readonly stores: readonly ModelStore[]
  readonly backends: ReadonlyMap<string, Backend>
  readonly backendConfig: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly mode: ModelControlMode
  readonly autoComplete: boolean
  readonly configName: string
  readonly threads: number
  readonly retries: number
  /** Called in the turn in which what a model serves changed. */
  readonly changed: (record: ModelRecord) => void
}

/**
 * Knows every model that was ever loaded and is the only one who changes them. Operations on one model run strictly one
 * after another, different models do not wait for each other.
 */
export class RepositoryManager {
  readonly #options: ManagerOptions
  readonly #records = new Map<string, ModelRecord>()
  readonly #queue: KeyedQueue = createKeyedQueue()
  readonly #scans: Gate = createGate(MAX_PARALLEL_SCANS)
  readonly #loader: Loader
  readonly #leaving = new Map<LoadedModel, Promise<void>>()
  readonly #abort = new AbortController()
  #seen: ReadonlyMap<string, ModelFiles> = new Map()

  constructor(options: ManagerOptions) {
    this.#options = options
    this.#loader = new Loader({ ...options, retire: (model) => this.#retire(model) })
  }

  /** By model name. */
  get records(): ReadonlyMap<string, ModelRecord> {
    return this.#records
  }

  /** Requests taken and not yet answered, those of models that are out of service included. */
  get inflight(): number {
    let count = 0
    for (const model of this.#everyModel()) count += model.inflight
    return count
  }

  /** Stops what runs without waiting for it. */
  terminate(): void {
    for (const model of this.#everyModel()) model.terminate()
  }

  /** Loads everything the repositories hold. Returns what went wrong, one line each; a model's failure stops no other. */
  async loadAll(): Promise<readonly string[]> {
    const scan = await scanRepositories(this.#planOptions())
    this.#seen = scan.models
    const problems = [...scan.problems]
    for (const [name, problem] of scan.broken) this.#record(name).problem = problem
    const results = await Promise.allSettled(
      [...scan.models.values()].map((files) => this.#apply(files.name, async () => files)),
    )
    for (const one of results) {
      if (one.status === 'rejected') problems.push(messageOf(one.reason).trimEnd())
    }
    return problems
  }

  /** Loads models by name, for the start in explicit mode. Returns what went wrong, one line each. */
  async loadNamed(names: readonly string[]): Promise<readonly string[]> {
    const results = await Promise.allSettled([...new Set(names)].map((name) => this.load(name, {})))
    return results.flatMap((one) =>
      one.status === 'rejected' ? [messageOf(one.reason).trimEnd()] : [],
    )
  }

  /** The load API (REPO-16..18). Resolves when the model serves. Throws with Triton's texts. */
  async load(name: string, overrides: LoadOverrides): Promise<void> {
    this.#requireExplicit()
    modelPath(name)
    const { files, config } = overrides
    await this.#apply(
      name,
      async (options) => {
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
    )
  }

  /** The unload API (REPO-19). An idle model is gone when this resolves; one with requests in flight follows when they are answered. */
  async unload(name: string): Promise<void> {
    this.#requireExplicit()
    await this.#take(name)
  }

  /** Compares the repositories with the last poll and applies what changed (REPO-12). Never throws. */
  async poll(): Promise<void> {
    const { log } = this.#options.platform
    const scan = await scanRepositories(this.#planOptions())
    if (this.#abort.signal.aborted) return
    const models = afterFaults(scan, this.#seen)
    const { added, changed, removed } = diffRepository(this.#seen, models)
    this.#seen = models
    const loads = [...added, ...changed].map(async (name) => {
      const files = models.get(name)
      if (files !== undefined) await this.#apply(name, async () => files)
    })
    const unloads = removed.map((name) =>
      this.#take(name, { problem: scan.broken.get(name) ?? '' }),
    )
    for (const [name, problem] of scan.broken) {
      if (!models.has(name)) this.#record(name).problem = problem
    }
    for (const one of await Promise.allSettled([...loads, ...unloads])) {
      if (one.status === 'rejected') log.error(messageOf(one.reason).trimEnd())
    }
  }

  /** Takes every model out of service and starts no more loads. Resolves when all are gone. Idempotent. */
  async close(): Promise<void> {
    this.#abort.abort()
    await this.#queue.idle()
    await Promise.all([...this.#records.keys()].map((name) => this.#take(name)))
    await Promise.all(this.#leaving.values())
  }

  async #apply(
    name: string,
    find: (options: PlanOptions) => Promise<ModelFiles>,
    overrides: LoadOverrides = {},
  ): Promise<void> {
    await this.#queue.run(name, async () => {
      const plan = await this.#scans.run(() => this.#plan(name, find, overrides))
      const record = this.#record(name)
      record.known = true
      record.problem = ''
      try {
        await this.#loader.load(record, plan, this.#abort.signal)
      } catch (error) {
        if (record.versions.size === 0) record.problem = statusText(error)
        throw new ServerError(
          'INVALID_ARG',
          `load failed for model '${name}': ${messageOf(error)}\n`,
          { cause: error },
        )
      }
    })
  }

  async #plan(
    name: string,
    find: (options: PlanOptions) => Promise<ModelFiles>,
    overrides: LoadOverrides,
  ): Promise<ModelPlan> {
    const { log } = this.#options.platform
    let found = false
    try {
      this.#abort.signal.throwIfAborted()
      const files = await find(this.#planOptions())
      found = true
      for (const line of files.skipped) log.warning(line)
      return await planModel(files, overrides, this.#planOptions())
    } catch (error) {
      log.error(`Poll failed for model directory '${name}': ${messageOf(error)}`)
      // Only a fault of what lies in the repository is remembered; one of the request says nothing about the model.
      if (found && overrides.config === undefined) this.#record(name).problem = statusText(error)
      if (!found && error instanceof ServerError && overrides.files !== undefined) {
        if (error.code === 'INVALID_ARG') throw error
      }
      throw new ServerError(
        'INTERNAL',
        `failed to load '${name}', failed to poll from model repository`,
        { cause: error },
      )
    }
  }

  /** Takes a model out of service; `removed` ones are gone from the repository, so that old failures do not count. */
  async #take(name: string, removed?: { readonly problem: string }): Promise<void> {
    await this.#queue.run(name, async () => {
      const record = this.#records.get(name)
      if (record === undefined) return
      record.problem = removed?.problem ?? ''
      record.loadedFrom = null
      const busy = record.serving().some((model) => model.inflight > 0)
      const gone = Promise.all(
        record.sorted().map((version) => version.unload((model) => this.#retire(model))),
      )
      if (removed !== undefined) for (const version of record.sorted()) version.forget()
      this.#options.changed(record)
      if (!busy) await gone
    })
  }

  #retire(model: LoadedModel): Promise<void> {
    const gone = model.retire().then(() => {
      this.#leaving.delete(model)
      this.#options.platform.log.info(
        `successfully unloaded '${model.name}' version ${model.version}`,
      )
    })
    this.#leaving.set(model, gone)
    return gone
  }

  *#everyModel(): Generator<LoadedModel> {
    for (const record of this.#records.values()) yield* record.serving()
    yield* this.#leaving.keys()
  }

  #record(name: string): ModelRecord {
    let record = this.#records.get(name)
    if (record === undefined) {
      // Names that only load requests brought stay known after an unload: they must not add up without end.
      if (this.#records.size >= MAX_MODELS) {
        throw new ServerError('UNAVAILABLE', `more than ${MAX_MODELS} models, '${name}' is refused`)
      }
      record = new ModelRecord(name)
      this.#records.set(name, record)
    }
    return record
  }

  #requireExplicit(): void {
    if (this.#options.mode === 'explicit') return
    throw new ServerError(
      'UNAVAILABLE',
      'explicit model load / unload is not allowed if polling is enabled',
    )
  }

  #planOptions(): PlanOptions {
    const { stores, autoComplete, configName, platform } = this.#options
    return { stores, autoComplete, configName, log: platform.log, signal: this.#abort.signal }
  }
}
