import type { LoadedModel } from '../model/model.ts'
import type { ModelState } from '../server-types.ts'
import type { ModelPlan } from './plan.ts'
import type { ModelFiles } from './snapshot.ts'

/** The reason of a version that was taken down on purpose. */
export const UNLOADED = 'unloaded'

const ALLOWED: Readonly<Record<ModelState, readonly ModelState[]>> = {
  UNKNOWN: ['LOADING'],
  LOADING: ['READY', 'UNAVAILABLE'],
  READY: ['READY', 'UNLOADING'],
  UNLOADING: ['UNAVAILABLE', 'LOADING'],
  UNAVAILABLE: ['LOADING', 'UNAVAILABLE'],
}

/** One version of a model and what became of it. */
export class VersionRecord {
  readonly version: number
  #state: ModelState = 'UNKNOWN'
  #reason = ''
  #model: LoadedModel | null = null
  /** Counts what happened, so that an unload that ends late cannot overwrite a newer state. */
  #epoch = 0

  constructor(version: number) {
    this.version = version
  }

  get state(): ModelState {
    return this.#state
  }

  /** '' where there is nothing to say. */
  get reason(): string {
    return this.#reason
  }

  /** The model while the state is READY. */
  get model(): LoadedModel | null {
    return this.#model
  }

  /** A version that serves goes on serving while its successor loads: it stays READY. */
  startLoading(): void {
    if (this.#state !== 'READY') this.#become('LOADING', '')
  }

  /** Puts `model` in service and returns what served before. */
  serve(model: LoadedModel): LoadedModel | null {
    const before = this.#model
    this.#become('READY', '')
    this.#model = model
    return before
  }

  /** A load failed. Whatever served before serves on. */
  fail(reason: string): void {
    if (this.#state !== 'READY') this.#become('UNAVAILABLE', reason)
  }

  /** Takes the model out of service, hands it to `retire` and resolves when it is gone. Nothing to do where nothing serves. */
  async unload(retire: (model: LoadedModel) => Promise<void>): Promise<void> {
    const model = this.#model
    if (model === null) return
    this.#become('UNLOADING', '')
    this.#model = null
    const epoch = this.#epoch
    await retire(model)
    if (this.#epoch === epoch) this.#become('UNAVAILABLE', UNLOADED)
  }

  /** Forgets a failure of a model that is gone from the repository. */
  forget(): void {
    if (this.#state === 'UNAVAILABLE') this.#become('UNAVAILABLE', UNLOADED)
  }

  #become(state: ModelState, reason: string): void {
    if (!ALLOWED[this.#state].includes(state)) {
      throw new Error(`version ${this.version} cannot go from ${this.#state} to ${state}`)
    }
    this.#state = state
    this.#reason = reason
    this.#epoch++
  }
}

/** What a model was loaded from. */
export interface LoadOrigin {
  readonly files: ModelFiles
  /** The configuration as text, its version policy aside. */
  readonly configKey: string
}

/** Everything known about one model name. */
export class ModelRecord {
  readonly name: string
  readonly versions: Map<number, VersionRecord> = new Map()
  /** What the serving versions were loaded from; null where none serves. */
  loadedFrom: LoadOrigin | null = null
  /** What it is loaded from, or would be once what it depends on is there; undefined where nobody wants it loaded. */
  plan: ModelPlan | undefined = undefined
  /** Whether it was asked for by name, not only as a part of an ensemble. */
  explicit = false
  /** Why the last load failed before any version was touched; '' when it did not. */
  problem = ''
  /** Why the last load failed, as the load API tells it; '' when it did not. */
  failure = ''
  /** What keeps an ensemble from running on the models it is made of; '' where nothing does. */
  invalid = ''
  /** Whether it was ever read from a repository without a fault: Triton knows a model from then on. */
  known = false

  constructor(name: string) {
    this.name = name
  }

  /** The record of a version, made when it is first heard of. */
  version(version: number): VersionRecord {
    let record = this.versions.get(version)
    if (record === undefined) {
      record = new VersionRecord(version)
      this.versions.set(version, record)
    }
    return record
  }

  /** Ascending. */
  sorted(): VersionRecord[] {
    return [...this.versions.values()].sort((a, b) => a.version - b.version)
  }

  /** Versions in service, ascending. */
  serving(): LoadedModel[] {
    const models: LoadedModel[] = []
    for (const record of this.sorted()) if (record.model !== null) models.push(record.model)
    return models
  }

  /** Strict readiness: every version that was attempted serves, or was taken down on purpose. */
  get healthy(): boolean {
    const records = [...this.versions.values()]
    if (this.problem !== '' && !records.some((record) => record.state === 'READY')) return false
    return records.every(
      (record) =>
        record.state === 'READY' || record.state === 'UNLOADING' || record.reason === UNLOADED,
    )
  }
}
