import type {
  Backend,
  BackendModel,
  Instance,
  ModelIo,
  ModelSource,
  Placement,
} from '../../core/backend/types.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { Clock } from '../../core/platform.ts'
import type { NeuronRuntime } from '../../native/neuron/runtime.ts'
import { NeuronError, NRT_LOAD_NOT_ENOUGH_NC } from '../../native/neuron/status.ts'
import { type NeuronBinding, openBinding } from './neuron-binding.ts'
import type { CoreFigures, NeuronCores } from './neuron-cores.ts'
import { openCpuModel } from './neuron-cpu.ts'
import { neuronError } from './neuron-error.ts'
import { findNeffs } from './neuron-file.ts'
import { NeuronInstance } from './neuron-instance.ts'
import { bySize, checkBatch, ioOf, type NeuronProgram, programOf } from './neuron-program.ts'

export interface NeuronModelOptions {
  readonly runtime: NeuronRuntime
  readonly cores: NeuronCores
  readonly clock: Clock
  readonly source: ModelSource
  /** Where instances of KIND_CPU run. */
  readonly cpu: Backend | undefined
  /** Runs one after the other what must not overlap in this process: loads and unloads. */
  readonly serially: <T>(run: () => Promise<T>) => Promise<T>
  readonly signal?: AbortSignal | undefined
}

/** All programs of a model on one core, shared by the instances there. */
interface Loaded {
  readonly core: number
  readonly programs: readonly NeuronProgram[]
  readonly leave: () => void
}

/** Loads a model onto a core, for its metadata and for the first instance there. */
export async function openNeuronModel(options: NeuronModelOptions): Promise<BackendModel> {
  const model = new NeuronModel(options)
  await model.open()
  return model
}

class NeuronModel implements BackendModel {
  readonly #options: NeuronModelOptions
  readonly #instances: Set<Instance> = new Set()
  readonly #loaded: Map<number, Promise<Loaded>> = new Map()
  #io: ModelIo = { inputs: [], outputs: [] }
  /** Core of the load itself, until an instance without a preference takes it. */
  #first: number | undefined
  #cpu: Promise<BackendModel> | null = null
  #closing: Promise<void> | null = null

  constructor(options: NeuronModelOptions) {
    this.#options = options
  }

  get io(): ModelIo {
    return this.#io
  }

  async open(): Promise<void> {
    const { source } = this.#options
    try {
      const { core, programs } = await this.#on(firstCore(source.config))
      this.#first = core
      const rows = source.config.max_batch_size ?? 0
      checkBatch(programs, rows, source.name)
      this.#io = ioOf(programs, rows, source.name)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async instance(placement: Placement, config: ModelConfig): Promise<Instance> {
    if (this.#closing !== null) throw new ServerError('INTERNAL', 'the model is closed')
    const made =
      placement.kind === 'KIND_CPU'
        ? await this.#cpuInstance(placement, config)
        : await this.#coreInstance(placement, config)
    this.#instances.add(made)
    return made
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { runtime, serially } = this.#options
    await Promise.all([...this.#instances].map((instance) => instance.close()))
    for (const loading of this.#loaded.values()) {
      const loaded = await loading.catch(() => null)
      if (loaded === null) continue
      loaded.leave()
      for (const { neff } of loaded.programs) await serially(() => runtime.unload(neff))
    }
    await (await this.#cpu?.catch(() => null))?.close()
  }

  async #cpuInstance(placement: Placement, config: ModelConfig): Promise<Instance> {
    const { source, cpu, signal } = this.#options
    const why = `instance '${placement.name}' is of KIND_CPU`
    this.#cpu ??= openCpuModel({ source, cpu, why, signal })
    return (await this.#cpu).instance(placement, config)
  }

  async #coreInstance(placement: Placement, config: ModelConfig): Promise<Instance> {
    const { runtime, cores, clock, source } = this.#options
    const rows = config.max_batch_size ?? 0
    const first = this.#first
    this.#first = undefined
    const { core, programs } = await this.#on(
      placement.kind === 'KIND_GPU' ? placement.device : first,
    )
    checkBatch(programs, rows, source.name)
    const outputs = new Set((config.output ?? []).map((output) => output.name ?? ''))
    const bindings: NeuronBinding[] = []
    try {
      for (const program of programs) {
        bindings.push(await openBinding({ runtime, program, batching: rows > 0, outputs }))
      }
    } catch (error) {
      for (const binding of bindings) await binding.close()
      throw neuronError(error)
    }
    return new NeuronInstance({
      runtime,
      clock,
      name: placement.name,
      figures: cores.figures[core] as CoreFigures,
      bindings,
      onBroken: (reason) => {
        source.log.error(`model '${source.name}' is not ready any more: ${reason}`)
      },
    })
  }

  /** The model on `core`, or where there is room for it. */
  #on(core: number | undefined): Promise<Loaded> {
    if (core === undefined) return this.#anywhere()
    const known = this.#loaded.get(core)
    if (known !== undefined) return known
    const { cores, source } = this.#options
    if (core >= cores.count) {
      return Promise.reject(
        new ServerError(
          'INVALID_ARG',
          `model '${source.name}' asks for NeuronCore ${core}, this process has ${cores.count}`,
        ),
      )
    }
    const loading = this.#load(core)
    this.#loaded.set(core, loading)
    loading.catch(() => this.#loaded.delete(core))
    return loading
  }

  /** Cores with the fewest models first; a model of several cores may not fit in at the end. */
  async #anywhere(): Promise<Loaded> {
    let failure: unknown
    for (const core of this.#options.cores.byUse()) {
      try {
        return await this.#on(core)
      } catch (error) {
        failure ??= error
        const cause = error instanceof ServerError ? error.cause : undefined
        if (!(cause instanceof NeuronError && cause.status === NRT_LOAD_NOT_ENOUGH_NC)) throw error
      }
    }
    throw failure
  }

  async #load(core: number): Promise<Loaded> {
    const { runtime, cores, source, serially, signal } = this.#options
    const programs: NeuronProgram[] = []
    try {
      for (const path of await findNeffs(source, signal)) {
        const bytes = await source.store.read(path, signal)
        if (bytes.length === 0) {
          throw new ServerError('INVALID_ARG', `'${source.store.root}/${path}' is empty`)
        }
        const neff = await serially(() => runtime.load(bytes, core))
        try {
          programs.push(programOf(neff, source.name))
        } catch (error) {
          await serially(() => runtime.unload(neff))
          throw error
        }
        signal?.throwIfAborted()
      }
    } catch (error) {
      for (const { neff } of programs) await serially(() => runtime.unload(neff))
      if (signal?.aborted === true) throw error
      throw neuronError(error)
    }
    const taken = Math.max(...programs.map(({ neff }) => neff.cores))
    return { core, programs: bySize(programs), leave: cores.occupy(core, taken) }
  }
}

/** Where the config puts the first instance that is not on a CPU; undefined = anywhere. */
function firstCore(config: ModelConfig): number | undefined {
  const group = (config.instance_group ?? []).find(({ kind }) => kind !== 'KIND_CPU')
  return group?.kind === 'KIND_MODEL' ? undefined : group?.gpus?.[0]
}
