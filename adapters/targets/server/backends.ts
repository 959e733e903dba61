import type { BackendFinder } from '../../../core/backend/finder.ts'
import { identityBackend } from '../../../core/backend/identity.ts'
import { repeatBackend } from '../../../core/backend/repeat.ts'
import type { Backend } from '../../../core/backend/types.ts'
import type { FamilySamples } from '../../../core/metrics/model-series.ts'
import type { Clock, Log } from '../../../core/platform.ts'
import { lazyBackend } from '../../backends/lazy.ts'
import { neuronBackend } from '../../backends/neuron.ts'
import { lazyFinder } from '../../backends/plugin/lazy-finder.ts'
import type { ServeOptions } from '../../cli/options.ts'
import { type Gpus, openGpus } from '../../metrics/gpu.ts'
import { pythonBackends } from './python.ts'

/** What models of this server can be run by. */
export const BACKEND_NAMES: readonly string[] = [
  'fil',
  'identity',
  'neuron',
  'onnxruntime',
  'openvino',
  'python',
  'repeat',
  'typescript',
]

export interface OpenBackends {
  readonly backends: readonly Backend[]
  /** Finds plug-ins. */
  readonly finder: BackendFinder
  /** What they tell of the devices they use. */
  families(): readonly FamilySamples[]
  /** The `gpu_uuid` of a device; undefined = it has none in metrics. */
  gpuUuid(device: number): string | undefined
  /** Stops watching the devices. Idempotent. */
  close(): Promise<void>
}

/** Every backend; none loads its library before somebody needs it, but for counting devices. */
export async function openBackends(
  options: ServeOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<OpenBackends> {
  const { enabled, gpu, intervalMs } = options.metrics
  const gpus = await openGpus({ log, intervalMs: enabled && gpu ? intervalMs : undefined })
  const openVino = openVinoBackend(clock, options.backendConfig.get('openvino')?.get('library'))
  const onnx =
    options.onnxRuntime === 'ffi'
      ? await ffiBackend(clock, gpus, options.gpuLoadLimits, openVino)
      : await workerBackend(clock)
  const libraryPath = options.backendConfig.get('neuron')?.get('library')
  const neuron = await neuronBackend({ clock, libraryPath, cpu: onnx })
  const python = pythonBackends(options, clock, gpus.indices)
  return {
    backends: [
      onnx,
      openVino,
      neuron,
      identityBackend({ clock }),
      repeatBackend({ clock }),
      lazyBackend({
        name: 'fil',
        defaultModelFilename: '',
        defaultCpuInstances: 1,
        open: async () => {
          const { filBackend } = await import('../../../core/backend/fil.ts')
          if (!isBundled()) return filBackend({ clock })
          const { threadedForestReader } = await import('../../backends/fil-reader.ts')
          return filBackend({ clock, read: threadedForestReader(workerFile('fil-worker')) })
        },
      }),
      ...python.backends,
      lazyBackend({
        name: 'typescript',
        defaultModelFilename: 'model.ts',
        defaultCpuInstances: 1,
        open: async () => {
          const { typescriptBackend } = await import('../../backends/typescript.ts')
          return typescriptBackend({ clock, worker: workerFile('typescript-worker') })
        },
      }),
    ],
    finder: lazyFinder(async () => {
      const { pluginFinder } = await import('../../backends/plugin/finder.ts')
      const { backendDirectory: directory } = options
      const workingFolder = process.cwd()
      return pluginFinder({ clock, log, directory, workingFolder, python: python.written })
    }),
    families: () => [...gpus.families(), ...neuron.families(), ...python.families()],
    gpuUuid: (device) => gpus.uuid(device),
    close: () => gpus.close(),
  }
}

async function ffiBackend(
  clock: Clock,
  { indices, memory }: Gpus,
  fractions: ReadonlyMap<number, number>,
  openVino: Backend,
): Promise<Backend> {
  const { onnxBackend } = await import('../../backends/onnx.ts')
  const { hasCuda } = await import('../../backends/onnx-cuda.ts')
  const gpus = indices.length > 0 && hasCuda() ? indices : []
  return onnxBackend({ clock, gpus, gpuLimit: { fractions, memory }, openVino })
}

function openVinoBackend(clock: Clock, library: string | undefined): Backend {
  return lazyBackend({
    name: 'openvino',
    defaultModelFilename: 'model.xml',
    defaultCpuInstances: 1,
    open: async () => {
      const { openVinoBackend } = await import('../../backends/openvino/openvino.ts')
      // Where the scripts that come with OpenVINO say it is.
      const folders = ['OPENVINO_LIB', 'INTEL_OPENVINO_DIR', 'VIRTUAL_ENV']
        .map((name) => process.env[name])
        .filter((folder) => folder !== undefined)
      return openVinoBackend({ clock, library, folders })
    },
  })
}

async function workerBackend(clock: Clock): Promise<Backend> {
  const { onnxNodeBackend } = await import('../../backends/onnx-node.ts')
  return onnxNodeBackend({ clock, worker: workerFile('onnx-node-worker') })
}

/** This file is either itself or part of the bundle, which has the workers beside it. */
function workerFile(name: string): { readonly url: URL } {
  const file = isBundled() ? `./${name}.mjs` : `../../backends/${name}.ts`
  return { url: new URL(file, import.meta.url) }
}

function isBundled(): boolean {
  return import.meta.url.endsWith('.mjs')
}
