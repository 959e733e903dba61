import { ServerError } from '../../core/errors.ts'
import type { Clock, Log } from '../../core/platform.ts'
import { createKeyedQueue, type KeyedQueue } from '../../core/repository/gate.ts'
import type { InferenceServer } from '../../core/server-types.ts'
import type { ArchiveStore } from './archive-store.ts'
import type { Archives, RoomForModel } from './types.ts'

/** SageMaker gives up an unload after 360 s. */
export const UNLOAD_TIMEOUT_MS = 350_000
/** How often an unload looks whether the last request of the model has ended. */
const UNLOAD_CHECK_MS = 100

export interface SageMakerModelsOptions {
  readonly server: Pick<InferenceServer, 'load' | 'unload' | 'index' | 'forget'>
  readonly store: ArchiveStore
  readonly archives: Archives
  readonly clock: Clock
  readonly log: Log
  /** Default: there always is. */
  readonly room?: RoomForModel | undefined
}

/** A model of a multi-model endpoint. */
export interface SageMakerModel {
  /** What SageMaker calls it: a hash. */
  readonly hash: string
  /** What the server calls it. */
  readonly name: string
  readonly url: string
}

export interface LoadedSageMakerModel extends SageMakerModel {
  /** Where the REST routes have its inference. */
  readonly path: string
}

/**
 * The models of a multi-model endpoint. Operations on one of them run one after another, so that each sees what the one
 * before has done; a model is there from the end of its load to the beginning of its unload.
 */
export class SageMakerModels {
  readonly #options: SageMakerModelsOptions
  readonly #queue: KeyedQueue = createKeyedQueue()
  readonly #models = new Map<string, LoadedSageMakerModel>()
  /** Archives in use, those of loads and unloads under way included. */
  readonly #urls = new Set<string>()

  constructor(options: SageMakerModelsOptions) {
    this.#options = options
  }

  get(hash: string): LoadedSageMakerModel | undefined {
    return this.#models.get(hash)
  }

  all(): Iterable<LoadedSageMakerModel> {
    return this.#models.values()
  }

  /** Throws ALREADY_EXISTS for an archive or a name that is in use, else what keeps the model from being loaded. */
  load(model: SageMakerModel): Promise<void> {
    return this.#queue.run(model.hash, () => this.#load(model))
  }

  /** Resolves when the model and the memory it took are gone. False when there is no such model. */
  unload(hash: string): Promise<boolean> {
    return this.#queue.run(hash, () => this.#unload(hash))
  }

  async #load(model: SageMakerModel): Promise<void> {
    const { server, store, archives, log, room } = this.#options
    const { hash, name } = model
    const url = model.url.replace(/\/$/, '')
    const archive = archives.open(url)
    if (this.#urls.has(url)) {
      throw new ServerError(
        'ALREADY_EXISTS',
        `model repository '${url}' has already been registered`,
      )
    }
    if (this.#models.has(hash)) {
      throw new ServerError(
        'ALREADY_EXISTS',
        `failed to register '${name}', there is a conflicting mapping for '${name}'`,
      )
    }
    this.#urls.add(url)
    let mounted = false
    let leave: (() => void) | undefined
    try {
      leave = await room?.(archive)
      await store.mount(name, archive)
      mounted = true
      await server.load(name, {})
      this.#models.set(hash, { ...model, url, path: `/v2/models/${name}/infer` })
      log.info(`loaded SageMaker model '${name}' from '${url}'`)
    } catch (error) {
      if (mounted) {
        // A load that failed for its parts may have loaded some of them.
        await server.unload(name, true).catch(() => undefined)
        await this.#forget(name)
      }
      this.#urls.delete(url)
      throw error
    } finally {
      leave?.()
    }
  }

  async #unload(hash: string): Promise<boolean> {
    const model = this.#models.get(hash)
    if (model === undefined) return false
    const { server, log } = this.#options
    this.#models.delete(hash)
    try {
      await server.unload(model.name, true)
      if (!(await this.#gone(model.name))) {
        log.error(`unload of SageMaker model '${model.name}' takes longer than SageMaker waits`)
      }
    } catch (error) {
      this.#models.set(hash, model)
      throw error
    }
    await this.#forget(model.name)
    this.#urls.delete(model.url)
    return true
  }

  async #forget(name: string): Promise<void> {
    const { server, store } = this.#options
    for (const one of store.unmount(name)) await server.forget?.(one)
  }

  /** Whether the last request of the model, and of what it is made of, has ended in time. */
  async #gone(name: string): Promise<boolean> {
    const { server, clock } = this.#options
    const end = clock.now() + UNLOAD_TIMEOUT_MS * 1e6
    const ours = (one: string): boolean => one === name || one.startsWith(`${name}::`)
    for (;;) {
      const index = await server.index(false)
      const leaving = index.some((one) => ours(one.name) && one.state === 'UNLOADING')
      if (!leaving) return true
      if (clock.now() >= end) return false
      await new Promise<void>((resolve) => clock.after(UNLOAD_CHECK_MS * 1e6, resolve))
    }
  }
}
