import type {
  Backend,
  BackendModel,
  Instance,
  ModelSource,
  Placement,
} from '../../core/backend/types.ts'
import { configFromJson } from '../../core/config/config-json-reader.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { Clock } from '../../core/platform.ts'
import { TypescriptInstance } from './typescript-instance.ts'
import { typescriptSettings } from './typescript-options.ts'
import { openCode } from './typescript-source.ts'
import { openThread, startThread, type ThreadSource } from './typescript-start.ts'
import type { ModelThread, WorkerEntry } from './typescript-thread.ts'

export interface TypescriptBackendOptions {
  readonly clock: Clock
  /** `typescript-worker`, as the target ships it. */
  readonly worker: WorkerEntry
}

/**
 * The `typescript` backend: models that are modules (`1/model.ts` or `1/model.js`), each instance in a worker thread of its
 * own. What authors program against is `core/model-api/types.ts`.
 */
export function typescriptBackend(options: TypescriptBackendOptions): Backend {
  const { clock, worker } = options
  return {
    name: 'typescript',
    defaultModelFilename: 'model.ts',
    defaultCpuInstances: 1,
    async load(source: ModelSource, signal?: AbortSignal): Promise<BackendModel> {
      const { name, version, config } = source
      const settings = typescriptSettings(config)
      const code = await openCode(source, signal)
      const threads: ThreadSource = { name, version, code, settings, entry: worker, clock }
      try {
        const { thread, config: own } = await openThread(threads, config, signal)
        const completed = await completion(own, name).catch(async (error: unknown) => {
          await thread.close()
          throw error
        })
        return new TypescriptModel({ source, threads, thread, config: completed })
      } catch (error) {
        await code.close()
        throw error
      }
    },
  }
}

/** Rejects for what is no config. */
async function completion(json: string | null, name: string): Promise<ModelConfig | undefined> {
  return json === null ? undefined : configFromJson(json, { what: `config of model '${name}'` })
}

interface TypescriptModelOptions {
  readonly source: ModelSource
  readonly threads: ThreadSource
  /** The one that the load opened. */
  readonly thread: ModelThread
  readonly config: ModelConfig | undefined
}

class TypescriptModel implements BackendModel {
  readonly config?: ModelConfig
  readonly #source: ModelSource
  readonly #threads: ThreadSource
  readonly #instances: Set<Instance> = new Set()
  /** Until the first instance takes it. */
  #spare: ModelThread | null
  #closing: Promise<void> | null = null

  constructor({ source, threads, thread, config }: TypescriptModelOptions) {
    this.#source = source
    this.#threads = threads
    this.#spare = thread
    if (config !== undefined) this.config = config
  }

  async instance(placement: Placement, config: ModelConfig): Promise<Instance> {
    if (this.#closing !== null) throw new ServerError('INTERNAL', 'the model is closed')
    const { name, log, peers } = this.#source
    if (placement.kind === 'KIND_GPU') {
      throw new ServerError(
        'INVALID_ARG',
        `model '${name}' asks for KIND_GPU, its backend 'typescript' runs on KIND_CPU`,
      )
    }
    // What the module completed may be about its instances.
    const source = { ...this.#threads, settings: typescriptSettings(config) }
    const spare = this.#takeSpare(source.settings.memoryLimitMb)
    const thread = spare ?? (await openThread(source, config)).thread
    await startThread(thread, source, placement, config)
    const made = new TypescriptInstance({ source, placement, config, log, peers }, thread)
    this.#instances.add(made)
    return made
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** A thread's memory limit is there from its start. */
  #takeSpare(memoryLimitMb: number): ModelThread | null {
    const spare = this.#spare
    if (memoryLimitMb !== this.#threads.settings.memoryLimitMb) return null
    this.#spare = null
    return spare
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#instances].map((instance) => instance.close()))
    await this.#spare?.close()
    await this.#threads.code.close()
  }
}
