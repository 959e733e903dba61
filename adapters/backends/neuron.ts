import { existsSync } from 'node:fs'
import type { Backend, BackendModel, ModelSource } from '../../core/backend/types.ts'
import { messageOf, ServerError } from '../../core/errors.ts'
import type { FamilySamples } from '../../core/metrics/model-series.ts'
import type { Clock } from '../../core/platform.ts'
import type { NeuronRuntime } from '../../native/neuron/runtime.ts'
import { NeuronCores } from './neuron-cores.ts'
import { openCpuModel } from './neuron-cpu.ts'
import { neuronError } from './neuron-error.ts'
import { NEFF_FILENAME } from './neuron-file.ts'
import { neuronFamilies } from './neuron-metrics.ts'
import { openNeuronModel } from './neuron-model.ts'

export interface NeuronBackendOptions {
  readonly clock: Clock
  /** Path of `libnrt.so.1`. Default: the first that is there of {@link LIBRARY_PATHS}. */
  readonly libraryPath?: string | undefined
  /** Runs the instances of KIND_CPU. Default: there can be none. */
  readonly cpu?: Backend | undefined
}

export interface NeuronBackend extends Backend {
  /** What the cores did; empty until a model is on them. */
  families(): readonly FamilySamples[]
}

/** Where the packages of the Neuron runtime put its library. */
export const LIBRARY_PATHS: readonly string[] = [
  '/opt/aws/neuron/lib/libnrt.so.1',
  '/usr/lib/libnrt.so.1',
  '/usr/lib64/libnrt.so.1',
]

/**
 * The `neuron` backend: models that were compiled for AWS Inferentia and Trainium (NEFF), by `libnrt` through native/neuron.
 * A NeuronCore is a GPU of the instance group; KIND_MODEL lets the backend choose. The library is looked for at once and
 * used with the first model; the cores are this process's from then on, until `close`.
 */
export async function neuronBackend(options: NeuronBackendOptions): Promise<NeuronBackend> {
  const { clock, cpu } = options
  const opened = await openLibrary(options.libraryPath)
  const cores = new NeuronCores(opened.runtime?.cores ?? 0)
  let started: Promise<void> | null = null
  let closing: Promise<void> | null = null
  let last: Promise<unknown> = Promise.resolve()

  function serially<T>(run: () => Promise<T>): Promise<T> {
    const result = last.then(run)
    last = result.catch(() => {})
    return result
  }

  async function start(): Promise<NeuronRuntime> {
    const { runtime, problem } = opened
    if (runtime === null || problem !== '') throw new ServerError('UNAVAILABLE', problem)
    try {
      started ??= runtime.init()
      await started
    } catch (error) {
      // The device may be another process's now and free later.
      started = null
      throw neuronError(error)
    }
    return runtime
  }

  return {
    name: 'neuron',
    defaultModelFilename: NEFF_FILENAME,
    gpus: [...cores.figures.keys()],
    async load(source: ModelSource, signal?: AbortSignal): Promise<BackendModel> {
      if (closing !== null) throw new ServerError('UNAVAILABLE', 'the neuron backend is closed')
      const why = cpuOnly(source, cores.count)
      if (why !== '') {
        const hint = opened.problem === '' ? why : `${why}; ${opened.problem}`
        return openCpuModel({ source, cpu, why: hint, signal })
      }
      const runtime = await start()
      return openNeuronModel({ runtime, cores, clock, source, cpu, serially, signal })
    },
    families() {
      return opened.runtime === null || started === null
        ? []
        : neuronFamilies(opened.runtime, cores)
    },
    close() {
      // Models are closed by now: they close before their backend.
      closing ??= (async () => {
        if (started === null || opened.runtime === null) return
        const initialised = await started.then(
          () => true,
          () => false,
        )
        started = null
        if (initialised) await opened.runtime.close()
      })()
      return closing
    },
  }
}

async function openLibrary(
  asked: string | undefined,
): Promise<{ readonly runtime: NeuronRuntime | null; readonly problem: string }> {
  const path = asked ?? LIBRARY_PATHS.find((one) => existsSync(one))
  if (path === undefined) {
    return { runtime: null, problem: `no Neuron runtime in ${LIBRARY_PATHS.join(', ')}` }
  }
  try {
    const { openNeuronRuntime } = await import('../../native/neuron/runtime.ts')
    const runtime = openNeuronRuntime(path)
    return {
      runtime,
      problem: runtime.cores > 0 ? '' : `the Neuron runtime at '${path}' sees no NeuronCore`,
    }
  } catch (error) {
    return {
      runtime: null,
      problem: `failed to load the Neuron runtime from '${path}': ${messageOf(error)}`,
    }
  }
}

/** Why a model runs without NeuronCores at all; '' = it does not. */
function cpuOnly({ config }: ModelSource, cores: number): string {
  const groups = config.instance_group ?? []
  const wants = (kinds: readonly string[]): boolean =>
    groups.some(({ kind }) => kinds.includes(kind ?? 'KIND_AUTO'))
  if (groups.length > 0 && !wants(['KIND_AUTO', 'KIND_GPU', 'KIND_MODEL'])) {
    return 'every instance is of KIND_CPU'
  }
  // Without a device, those who leave the choice to the server get what there is.
  if (cores === 0 && !wants(['KIND_GPU', 'KIND_MODEL'])) return 'there is no NeuronCore'
  return ''
}
