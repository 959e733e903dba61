import type { BackendFinder } from '../backend/finder.ts'
import type { Backend, ModelSource, Peers } from '../backend/types.ts'
import type { Caching } from '../cache/caching.ts'
import type { ModelConfig } from '../config/types.ts'
import { isEnsemble, loadEnsemble } from '../ensemble/load-ensemble.ts'
import type { StepModels } from '../ensemble/types.ts'
import { ServerError } from '../errors.ts'
import { loadModel } from '../model/load-model.ts'
import type { LoadedModel } from '../model/model.ts'
import type { Platform } from '../platform.ts'
import type { RateLimiter } from '../rate-limit/types.ts'
import { settingsOf } from './backend-settings.ts'
import { sameVersion } from './diff.ts'
import { findBackend } from './find-backend.ts'
import { createGate, type Gate } from './gate.ts'
import { type ModelRecord, UNLOADED } from './lifecycle.ts'
import { modelSize } from './model-size.ts'
import type { ModelPlan } from './plan.ts'
import { isPassing, isReplaced } from './replaced.ts'
import { statusText } from './status-text.ts'
import { chooseVersions } from './versions.ts'

export interface LoaderOptions {
  readonly platform: Platform
  readonly backends: ReadonlyMap<string, Backend>
  /** Where backends are looked for that are not among them. Absent = nowhere. */
  readonly finder?: BackendFinder | undefined
  /** By backend name; '' holds the pairs for any backend. */
  readonly backendConfig: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly autoComplete: boolean
  /** Versions that load at the same time, all models together. */
  readonly threads: number
  /** How often a failed version is tried again. */
  readonly retries: number
  /** undefined = instances run whenever they are free. */
  readonly limiter: RateLimiter | undefined
  /** undefined = no response is kept. */
  readonly caching: Caching | undefined
  /** Where ensembles find the models they are made of. */
  readonly models: StepModels
  /** What models may do to others by themselves. */
  readonly control: Pick<Peers, 'load' | 'unload'>
  /** What models get in place of their peers. Absent = those themselves. */
  readonly peers?: ((peers: Peers) => Peers) | undefined
  /** Closes a model that is out of service. */
  readonly retire: (model: LoadedModel) => Promise<void>
  /** Resolves when there is room for a model of `bytes`, throws where there can be none. Absent = there always is. */
  readonly claim?: ((name: string, config: ModelConfig, bytes: number) => Promise<void>) | undefined
  /** Throws what else keeps a configuration from being served. Absent = nothing. */
  readonly checkConfig?: ((config: ModelConfig) => void) | undefined
  /** Called in the turn in which what is served changed. */
  readonly changed: (record: ModelRecord) => void
}

type Outcome = { readonly version: number } & (
  | { readonly model: LoadedModel }
  | { readonly error: unknown }
)

/** Carries out plans: loads the versions a policy asks for and swaps them in, all or none. */
export class Loader {
  readonly #options: LoaderOptions
  readonly #gate: Gate
  readonly #peers: Peers
  /** Local copies of models' files: what gives them up. */
  readonly #copies = new WeakMap<LoadedModel, () => void>()

  constructor(options: LoaderOptions) {
    this.#options = options
    const { models, control } = options
    const peers: Peers = { ...control, find: (name, version) => models.find(name, version) }
    this.#peers = options.peers?.(peers) ?? peers
    this.#gate = createGate(options.threads)
  }

  /**
   * Brings `record` to what `plan` says. Versions in service go on serving until every new one is ready; when one fails,
   * nothing changes but the states of versions that did not serve. Throws INVALID_ARG with the reasons, or a
   * `ReplacedError`, after which a new plan may succeed.
   */
  async load(record: ModelRecord, plan: ModelPlan, signal: AbortSignal): Promise<void> {
    const { log } = this.#options.platform
    this.#options.checkConfig?.(plan.config)
    const { versions, missing } = chooseVersions(
      plan.config.version_policy,
      plan.files.versions.keys(),
    )
    for (const version of missing) {
      log.error(
        `version ${version} is specified for model '${plan.name}', but the version directory is not present`,
      )
    }
    if (versions.length === 0) {
      throw new ServerError(
        'INVALID_ARG',
        `at least one version must be available under the version policy of model '${plan.name}'`,
      )
    }
    const configKey = keyOf(plan.config)
    const stale = versions.filter((version) => !isCurrent(record, plan, configKey, version))
    for (const version of stale) {
      log.info(`loading: ${plan.name}:${version}`)
      record.version(version).startLoading()
    }
    if (stale.length > 0) this.#options.changed(record)
    await this.#claim(record, plan, versions, stale, signal)
    const outcomes = await Promise.all(
      stale.map((version) => this.#gate.run(() => this.#loadVersion(plan, version, signal))),
    )
    const failed = outcomes.some((one) => 'error' in one)
    if (failed || signal.aborted) {
      this.#rollBack(record, outcomes)
      for (const one of outcomes) if ('error' in one && isReplaced(one.error)) throw one.error
      throw failed ? failureOf(outcomes) : new ServerError('INVALID_ARG', 'server is shutting down')
    }
    for (const model of record.serving()) {
      model.adoptVersionPolicy(plan.config.version_policy ?? { latest: { num_versions: 1 } })
    }
    this.#swap(record, versions, outcomes)
    record.loadedFrom = { files: plan.files, configKey }
    log.info(`successfully loaded '${plan.name}'`)
  }

  /** Waits until there is room for the model. What has to wait shows as loading; what gets none as unavailable. */
  async #claim(
    record: ModelRecord,
    { name, config, files }: ModelPlan,
    versions: readonly number[],
    stale: readonly number[],
    signal: AbortSignal,
  ): Promise<void> {
    const { claim } = this.#options
    if (claim === undefined) return
    try {
      await claim(name, config, await modelSize(files, versions, config, signal))
    } catch (error) {
      for (const version of stale) record.version(version).fail(UNLOADED)
      this.#options.changed(record)
      throw error
    }
  }

  async #loadVersion(plan: ModelPlan, version: number, signal: AbortSignal): Promise<Outcome> {
    const { platform, retries } = this.#options
    for (let attempt = 0; ; attempt++) {
      try {
        signal.throwIfAborted()
        return { version, model: await this.#open(plan, version, signal) }
      } catch (error) {
        platform.log.error(`failed to load '${plan.name}' version ${version}: ${statusText(error)}`)
        if (attempt >= retries || signal.aborted || isReplaced(error)) return { version, error }
      }
    }
  }

  async #open(plan: ModelPlan, version: number, signal: AbortSignal): Promise<LoadedModel> {
    const { platform, autoComplete, models, limiter, caching } = this.#options
    const { clock, log } = platform
    const { view, path } = plan.files
    const release = await view.localise?.(`${path}/${version}`, signal)
    const source = (settings: ReadonlyMap<string, string>): ModelSource => ({
      name: plan.name,
      version,
      config: plan.config,
      settings,
      store: view,
      modelPath: path,
      versionPath: `${path}/${version}`,
      log,
      peers: this.#peers,
    })
    const open = async (): Promise<LoadedModel> => {
      if (isEnsemble(plan.config)) {
        return loadEnsemble({ source: source(new Map()), models, clock, caching, signal })
      }
      const backend = await this.#backendOf(plan, version, signal)
      const settings = settingsOf(backend.name, this.#options.backendConfig)
      return loadModel({
        backend,
        clock,
        autoComplete,
        limiter,
        caching,
        signal,
        source: source(settings),
      })
    }
    if (release === undefined) return open()
    try {
      const model = await open()
      this.#copies.set(model, release)
      return model
    } catch (error) {
      release()
      throw error
    }
  }

  /** Lets go of the local copy of a model that is closed. */
  release(model: LoadedModel): void {
    this.#copies.get(model)?.()
  }

  #swap(record: ModelRecord, versions: readonly number[], outcomes: readonly Outcome[]): void {
    const { retire, changed } = this.#options
    const leaving: LoadedModel[] = []
    for (const one of outcomes) {
      if (!('model' in one)) continue
      const before = record.version(one.version).serve(one.model)
      if (before !== null) leaving.push(before)
    }
    const unloads = record
      .sorted()
      .filter((version) => !versions.includes(version.version))
      .map((version) => version.unload(retire))
    changed(record)
    // Old models drain in the background: the load is done when the new ones serve.
    void Promise.all([...leaving.map(retire), ...unloads])
  }

  #rollBack(record: ModelRecord, outcomes: readonly Outcome[]): void {
    const { retire, changed, platform } = this.#options
    for (const one of outcomes) {
      if ('model' in one) {
        record.version(one.version).fail(UNLOADED)
        void retire(one.model)
      } else {
        record.version(one.version).fail(statusText(one.error))
      }
    }
    changed(record)
    platform.log.info(`failed to load '${record.name}'`)
  }

  async #backendOf(plan: ModelPlan, version: number, signal: AbortSignal): Promise<Backend> {
    const name = plan.config.backend ?? ''
    if (name === '') {
      throw new ServerError('INVALID_ARG', `unknown platform '${plan.config.platform ?? ''}'`)
    }
    const { view: store, path: modelPath } = plan.files
    return findBackend(
      { backend: name, store, modelPath, versionPath: `${modelPath}/${version}`, signal },
      this.#options,
    )
  }
}

/** A config's text, its version policy aside: that alone reloads nothing. */
function keyOf(config: ModelConfig): string {
  return JSON.stringify({ ...config, version_policy: undefined })
}

function isCurrent(
  record: ModelRecord,
  plan: ModelPlan,
  configKey: string,
  version: number,
): boolean {
  const origin = record.loadedFrom
  return (
    origin !== null &&
    record.versions.get(version)?.state === 'READY' &&
    origin.configKey === configKey &&
    sameVersion(origin.files, plan.files, version)
  )
}

function failureOf(outcomes: readonly Outcome[]): ServerError {
  let text = ''
  let cause: unknown
  for (const one of outcomes) {
    if (!('error' in one)) continue
    text += `version ${one.version} is at UNAVAILABLE state: ${statusText(one.error)};`
    // What may pass is worth another try, whatever else is wrong.
    if (cause === undefined || isPassing(one.error)) cause = one.error
  }
  return new ServerError('INVALID_ARG', text, { cause })
}
