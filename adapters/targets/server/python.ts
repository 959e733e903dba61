import { fileURLToPath } from 'node:url'
import type { Backend } from '../../../core/backend/types.ts'
import type { FamilySamples } from '../../../core/metrics/model-series.ts'
import type { Clock } from '../../../core/platform.ts'
import { lazyBackend } from '../../backends/lazy.ts'
import type { CustomMetrics } from '../../backends/python/custom-metrics.ts'
import type { PythonBackendOptions } from '../../backends/python/python-backend.ts'
import type { ServeOptions } from '../../cli/options.ts'

/** Libraries of Python whose models need no code: folders of `native/python/runtimes`. */
const RUNTIMES: readonly string[] = ['pytorch', 'sklearn', 'tensorflow', 'tensorrt', 'transformers']

export interface PythonBackends {
  /** Python, and what runs models of Python libraries on it. */
  readonly backends: readonly Backend[]
  /** A backend that is written in Python. */
  written(name: string, modelFile: string): Promise<Backend>
  /** What models count. */
  families(): readonly FamilySamples[]
}

/** Backends that run on Python; nothing of them is read before the first model. */
export function pythonBackends(
  { backendConfig }: ServeOptions,
  clock: Clock,
  gpus: readonly number[],
): PythonBackends {
  let metrics: CustomMetrics | null = null
  // Large libraries take long to be read.
  const settings = new Map([
    ['stub-timeout-seconds', '120'],
    ...(backendConfig.get('python') ?? new Map<string, string>()),
  ])
  const open = async (more: Partial<PythonBackendOptions>): Promise<Backend> => {
    const { pythonBackend } = await import('../../backends/python/python-backend.ts')
    const { CustomMetrics } = await import('../../backends/python/custom-metrics.ts')
    metrics ??= new CustomMetrics()
    const worker = pythonFile('worker/main.py')
    return pythonBackend({ clock, worker, gpus, metrics, environment: process.env, ...more })
  }
  const written = (name: string, modelFile: string) => open({ name, modelFile, settings })
  const lazy = (name: string, defaultModelFilename: string, opened: () => Promise<Backend>) =>
    lazyBackend({ name, defaultModelFilename, defaultCpuInstances: 1, gpus, open: opened })
  return {
    backends: [
      lazy('python', 'model.py', () => open({})),
      ...RUNTIMES.map((name) =>
        lazy(name, '', () => written(name, pythonFile(`runtimes/${name}/model.py`))),
      ),
    ],
    written,
    families: () => metrics?.families() ?? [],
  }
}

/** A file of what Python runs: this module is either itself or part of the bundle, which has them beside it. */
function pythonFile(name: string): string {
  const folder = import.meta.url.endsWith('.mjs') ? './python' : '../../../native/python'
  return fileURLToPath(new URL(`${folder}/${name}`, import.meta.url))
}
