import { delimiter, join } from 'node:path'
import type {
  Backend,
  BackendModel,
  Instance,
  ModelSource,
  Placement,
} from '../../../core/backend/types.ts'
import { configFromJson } from '../../../core/config/config-json-reader.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import { messageOf, ServerError } from '../../../core/errors.ts'
import type { Clock } from '../../../core/platform.ts'
import type { MemoryFiles } from '../../../native/memfd/library.ts'
import { CustomMetrics } from './custom-metrics.ts'
import { type Environment, Environments } from './environments.ts'
import { findModelFiles } from './model-files.ts'
import { PythonInstance } from './python-instance.ts'
import { pythonSettings } from './python-settings.ts'
import type { WorkerCommand } from './worker-process.ts'
import {
  closeWorker,
  type OpenedWorker,
  openWorker,
  startWorker,
  type WorkerSource,
} from './worker-start.ts'

export interface PythonBackendOptions {
  readonly clock: Clock
  /** `worker/main.py`, as the target ships it. */
  readonly worker: string
  /** Environment variables of the server. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** What models call it. Default `python`. */
  readonly name?: string
  /** One module for all models, in place of theirs: makes it a backend that is written in Python. */
  readonly modelFile?: string
  /** Default `model.py`. */
  readonly defaultModelFilename?: string
  /** Where the metrics of models are kept. Default: where nobody sees them. */
  readonly metrics?: CustomMetrics
  /** GPUs of this machine; models ask for them as they like. Default none. */
  readonly gpus?: readonly number[]
  /** Flags of the Python backend, for backends written in Python: their own come first. */
  readonly settings?: ReadonlyMap<string, string>
}

/** The `python` backend: models that are modules as Triton's Python backend has them, each instance in a process of its own. */
export function pythonBackend(options: PythonBackendOptions): Backend {
  const { clock, worker, name = 'python', defaultModelFilename = 'model.py' } = options
  const metrics = options.metrics ?? new CustomMetrics()
  let memory: MemoryFiles | null = null
  const environments = new Environments()
  const commandOf = (
    python: string,
    flags: ReadonlyMap<string, string>,
    environment: Environment | null,
  ): WorkerCommand => {
    const own = environment === null ? null : join(environment.folder, 'bin')
    const { PATH } = options.environment
    return {
      python: environment?.python ?? python,
      main: worker,
      environment: {
        ...options.environment,
        ...(own === null ? {} : { PATH: PATH === undefined ? own : `${own}${delimiter}${PATH}` }),
        NEREID_BACKEND_CONFIG: JSON.stringify(Object.fromEntries(flags)),
      },
    }
  }
  return {
    name,
    defaultModelFilename: options.modelFile === undefined ? defaultModelFilename : '',
    defaultCpuInstances: 1,
    ...(options.gpus === undefined ? {} : { gpus: options.gpus }),
    async load(model: ModelSource, signal?: AbortSignal): Promise<BackendModel> {
      const flags = new Map([...(options.settings ?? []), ...model.settings])
      const settings = pythonSettings(model.config, flags)
      const { modelFile: runtime } = options
      const fileName = defaultModelFilename
      const files = await findModelFiles(model, { fileName, runtime, flags, signal })
      const closes: (() => Promise<void>)[] = [files.close]
      const close = async (): Promise<void> => {
        for (const one of closes.reverse()) await one()
        closes.length = 0
      }
      try {
        memory ??= await openMemory(name)
        const environment = await environments.open({ ...model, settings: flags })
        if (environment !== null) closes.push(environment.close)
        const command = commandOf(settings.python, flags, environment)
        const source: WorkerSource = { model, files, settings, command, memory, metrics, clock }
        const opened = await openWorker(source, model.config, {
          complete: true,
          name: model.name,
          ...(signal === undefined ? {} : { signal }),
        })
        closes.push(() => closeWorker(opened))
        const { config } = opened
        const what = `config of model '${model.name}'`
        const completed = config === null ? undefined : configFromJson(config, { what })
        closes.pop()
        return new PythonModel({ source, flags, spare: opened, completed, close })
      } catch (error) {
        await close()
        throw error
      }
    },
  }
}

async function openMemory(name: string): Promise<MemoryFiles> {
  try {
    const { loadMemoryFiles } = await import('../../../native/memfd/library.ts')
    return loadMemoryFiles()
  } catch (error) {
    throw new ServerError(
      'UNSUPPORTED',
      `backend '${name}' needs the package koffi for the memory that it shares with Python: run 'npm install koffi' (${messageOf(error)})`,
      { cause: error },
    )
  }
}

interface PythonModelOptions {
  readonly source: WorkerSource
  readonly flags: ReadonlyMap<string, string>
  /** The one that the load opened. */
  readonly spare: OpenedWorker
  readonly completed: ModelConfig | undefined
  readonly close: () => Promise<void>
}

class PythonModel implements BackendModel {
  readonly completed?: ModelConfig
  readonly #source: WorkerSource
  readonly #flags: ReadonlyMap<string, string>
  readonly #closeRest: () => Promise<void>
  readonly #instances: Set<Instance> = new Set()
  /** The one that the load opened, until the first instance takes it. */
  #spare: OpenedWorker | null
  #closing: Promise<void> | null = null

  constructor({ source, flags, spare, completed, close }: PythonModelOptions) {
    this.#source = source
    this.#flags = flags
    this.#spare = spare
    this.#closeRest = close
    if (completed !== undefined) this.completed = completed
  }

  async instance(placement: Placement, config: ModelConfig): Promise<Instance> {
    if (this.#closing !== null) throw new ServerError('INTERNAL', 'the model is closed')
    // What the module completed may be about its instances.
    const source = { ...this.#source, settings: pythonSettings(config, this.#flags) }
    const options = { complete: false, name: placement.name }
    const opened = this.#takeSpare() ?? (await openWorker(source, config, options))
    await startWorker(opened, source, placement, config)
    const made = new PythonInstance({ source, placement, config }, opened)
    this.#instances.add(made)
    return made
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #takeSpare(): OpenedWorker | null {
    const spare = this.#spare
    this.#spare = null
    return spare
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#instances].map((instance) => instance.close()))
    if (this.#spare !== null) await closeWorker(this.#spare)
    await this.#closeRest()
  }
}
