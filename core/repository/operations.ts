import { isEnsemble } from '../ensemble/load-ensemble.ts'
import { messageOf, ServerError } from '../errors.ts'
import type { LoadedModel } from '../model/model.ts'
import type { LoadOverrides, ModelState } from '../server-types.ts'
import { checkDependencies, composingModels, Dependencies } from './dependencies.ts'
import { createGate, createKeyedQueue, type Gate, type KeyedQueue } from './gate.ts'
import { ModelRecord } from './lifecycle.ts'
import type { LoadGroup } from './load-group.ts'
import { Loader, type LoaderOptions } from './loader.ts'
import type { ModelPlan, PlanOptions } from './plan.ts'
import { pollModel } from './poll-model.ts'
import { isReplaced, MAX_FRESH_STARTS } from './replaced.ts'
import { ModelRoutes } from './routes.ts'
import { MAX_MODELS, type ModelFiles } from './snapshot.ts'
import { statusText } from './status-text.ts'

/** Models whose folders are read at the same time. */
export const MAX_PARALLEL_SCANS = 16
/** How often a load looks for further composing models, when an ensemble's config changes meanwhile. */
export const MAX_COMPOSING_ROUNDS = 8

export interface OperationsOptions extends Omit<LoaderOptions, 'retire' | 'models'> {
  readonly planOptions: () => PlanOptions
  /** Told what a model is made of before that is loaded: models are loaded on demand, and only then. Absent = they are not. */
  readonly parts?: ((models: readonly string[]) => void) | undefined
  /** Fires when the server closes. */
  readonly signal: AbortSignal
}

export interface ApplyRequest {
  readonly find: (options: PlanOptions) => Promise<ModelFiles>
  readonly overrides: LoadOverrides
  /** Asked for by name, not as a part of an ensemble. */
  readonly explicit: boolean
  readonly group: LoadGroup
}

/**
 * Knows every model that was ever loaded and is the only one who changes them. Operations on one model run strictly one
 * after another, different models do not wait for each other, and nobody waits while a model is theirs: that ensembles
 * load after their steps, and follow them, is arranged between operations.
 */
export class ModelOperations {
  readonly #options: OperationsOptions
  readonly #records = new Map<string, ModelRecord>()
  readonly #dependencies = new Dependencies()
  readonly #queue: KeyedQueue = createKeyedQueue()
  readonly #scans: Gate = createGate(MAX_PARALLEL_SCANS)
  readonly #routes = new ModelRoutes(() => this.#records)
  readonly #loader: Loader
  readonly #leaving = new Map<LoadedModel, Promise<void>>()

  constructor(options: OperationsOptions) {
    this.#options = options
    this.#loader = new Loader({
      ...options,
      models: this.#routes,
      retire: (model) => this.#retire(model),
      changed: (record) => this.#changed(record),
    })
  }

  /** By model name. */
  get records(): ReadonlyMap<string, ModelRecord> {
    return this.#records
  }

  /** Everything that is open, models that are on their way out included. */
  *models(): Generator<LoadedModel> {
    for (const record of this.#records.values()) yield* record.serving()
    yield* this.#leaving.keys()
  }

  /** Loads a model, what it is made of first, then sees to the ensembles that are made of it. Throws with Triton's texts. */
  async apply(name: string, request: ApplyRequest): Promise<void> {
    const seen = new Set<string>()
    try {
      for (let round = 0; ; round++) {
        const first = await this.#queue.run(name, () =>
          this.#attemptAnew(name, request, seen, round),
        )
        if (first.length === 0) return
        await request.group.ready(name, first)
        for (const model of first) seen.add(model)
      }
    } finally {
      await this.#propagate(name, request.group)
    }
  }

  /**
   * Takes a model out of service; `removed` ones are gone from the repository, so that old failures do not count. With
   * `dependents`, models that were loaded only as parts of it go too.
   */
  async take(
    name: string,
    options: {
      readonly removed?: { readonly problem: string }
      readonly dependents?: boolean
    } = {},
  ): Promise<void> {
    const models = this.#dependencies.of(name)
    await this.#queue.run(name, () => this.#take(name, options.removed))
    if (options.dependents === true) {
      for (const model of models) {
        const needed = this.#dependencies.dependents(model).length > 0
        if (needed || this.#records.get(model)?.explicit !== false) continue
        await this.take(model, { dependents: true })
      }
    }
    await this.#propagate(name)
  }

  /** Forgets a model that is out of service, so that its name counts no more. Any other stays as it is. */
  async forget(name: string): Promise<void> {
    await this.#queue.run(name, async () => {
      const record = this.#records.get(name)
      const active: readonly ModelState[] = ['READY', 'LOADING', 'UNLOADING']
      if (record === undefined || record.plan !== undefined) return
      if (record.sorted().some(({ state }) => active.includes(state))) return
      this.#records.delete(name)
    })
  }

  /** Whether an ensemble that serves is made of `name`. */
  isNeeded(name: string): boolean {
    return this.#dependencies
      .dependents(name)
      .some((dependent) => (this.#records.get(dependent)?.serving().length ?? 0) > 0)
  }

  /** Notes that `name` is in a repository, and not loaded yet. */
  learn(name: string): void {
    this.#record(name).known = true
  }

  /** Notes why a folder cannot be served. */
  refuse(name: string, problem: string): void {
    this.#record(name).problem = problem
  }

  /** Takes everything out of service. Resolves when all models are gone. */
  async close(): Promise<void> {
    await this.#queue.idle()
    await Promise.all([...this.#records.keys()].map((name) => this.take(name)))
    await Promise.all(this.#leaving.values())
  }

  /** {@link #attempt}, again while files are replaced under it: what serves is wholly of one state of them. */
  async #attemptAnew(
    name: string,
    request: ApplyRequest,
    seen: ReadonlySet<string>,
    round: number,
  ): Promise<readonly string[]> {
    const { platform, signal } = this.#options
    for (let start = 0; ; start++) {
      try {
        return await this.#attempt(name, request, seen, round)
      } catch (error) {
        if (!isReplaced(error) || start === MAX_FRESH_STARTS || signal.aborted) throw error
        platform.log.info(`files of model '${name}' were replaced while it was loaded: once more`)
      }
    }
  }

  /** One try to load; returns the models that have to be loaded before. */
  async #attempt(
    name: string,
    request: ApplyRequest,
    seen: ReadonlySet<string>,
    round: number,
  ): Promise<readonly string[]> {
    const plan = await this.#scans.run(() =>
      pollModel({
        name,
        ...request,
        options: this.#options.planOptions(),
        // Only a fault of what lies in the repository is remembered; one of the request says nothing about the model.
        onFault: (error) => this.refuse(name, statusText(error)),
      }),
    )
    const record = this.#record(name)
    record.known = true
    record.problem = ''
    if (request.explicit) record.explicit = true
    const models = composingModels(plan.config)
    this.#dependencies.set(name, models)
    this.#options.parts?.(models)
    const first = models.filter((model) => !seen.has(model))
    const circle = this.#dependencies.circle(name) !== undefined
    if (first.length > 0 && !circle && round < MAX_COMPOSING_ROUNDS) return first
    await this.#load(record, plan)
    return []
  }

  async #load(record: ModelRecord, plan: ModelPlan): Promise<void> {
    const { name } = record
    const before = record.plan
    try {
      this.#checkComposing(record, plan)
      record.plan = plan
      await this.#loader.load(record, plan, this.#options.signal)
      record.failure = ''
    } catch (error) {
      record.failure = messageOf(error)
      if (record.versions.size === 0) record.problem = statusText(error)
      if (before !== undefined && record.serving().length > 0) {
        record.plan = before
        this.#dependencies.set(name, composingModels(before.config))
        await this.#recheck(name)
      } else {
        record.plan = plan
      }
      throw new ServerError(
        'INVALID_ARG',
        `load failed for model '${name}': ${messageOf(error)}\n`,
        { cause: error },
      )
    }
  }

  /** Throws what keeps an ensemble from running on the models that serve now; returns whether it is decoupled. */
  #checkComposing(record: ModelRecord, { config }: ModelPlan): boolean {
    record.invalid = ''
    if (!isEnsemble(config)) return false
    const { name } = record
    try {
      return checkDependencies({
        name,
        config,
        dependencies: this.#dependencies,
        records: this.#records,
      })
    } catch (error) {
      record.invalid = messageOf(error)
      this.#options.platform.log.error(statusText(error))
      throw error
    }
  }

  /** Sees to the ensembles that `name` is a step of, and to theirs. */
  async #propagate(name: string, group?: LoadGroup): Promise<void> {
    for (const dependent of this.#dependencies.dependents(name)) {
      if (this.#options.signal.aborted || group?.has(dependent) === true) continue
      const changed = await this.#queue.run(dependent, () => this.#recheck(dependent))
      if (changed) await this.#propagate(dependent, group)
    }
  }

  /**
   * Brings an ensemble in line with the models it is made of: out of service when it cannot run on them, back when it can.
   * Returns whether that changed anything. Never throws: the ensemble's failure is not that of the model that changed.
   */
  async #recheck(name: string): Promise<boolean> {
    const record = this.#records.get(name)
    const plan = record?.plan
    if (record === undefined || plan === undefined || !isEnsemble(plan.config)) return false
    const serving = record.serving()
    // Who loads on demand takes room for it first, for it and its steps together.
    if (serving.length === 0 && this.#options.parts !== undefined) return false
    try {
      const decoupled = this.#checkComposing(record, plan)
      if (serving[0]?.config.model_transaction_policy?.decoupled === decoupled) return false
      record.loadedFrom = null
      await this.#loader.load(record, plan, this.#options.signal)
      record.problem = ''
      record.failure = ''
      return true
    } catch (error) {
      record.failure = messageOf(error)
      if (record.versions.size === 0) record.problem = statusText(error)
      if (serving.length === 0) return false
      await this.#unload(record)
      return true
    }
  }

  async #take(name: string, removed?: { readonly problem: string }): Promise<void> {
    const record = this.#records.get(name)
    if (record === undefined) return
    record.problem = removed?.problem ?? ''
    record.failure = ''
    record.invalid = ''
    record.plan = undefined
    record.explicit = false
    this.#dependencies.set(name, [])
    const gone = this.#unload(record)
    if (removed !== undefined) for (const version of record.sorted()) version.forget()
    await gone
  }

  /** An idle model is gone when this resolves; one with requests in flight follows when they are answered. */
  async #unload(record: ModelRecord): Promise<void> {
    record.loadedFrom = null
    const busy = record.serving().some((model) => model.busy)
    const gone = Promise.all(
      record.sorted().map((version) => version.unload((model) => this.#retire(model))),
    )
    this.#changed(record)
    if (!busy) await gone
  }

  #changed(record: ModelRecord): void {
    this.#routes.update(record)
    this.#options.changed(record)
  }

  #retire(model: LoadedModel): Promise<void> {
    const gone = model.retire().then(() => {
      this.#leaving.delete(model)
      this.#loader.release(model)
      this.#options.platform.log.info(
        `successfully unloaded '${model.name}' version ${model.version}`,
      )
    })
    this.#leaving.set(model, gone)
    return gone
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
}
