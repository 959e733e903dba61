import { Plugin } from '../../adapters/backends/plugin/plugin.ts'
import type { PluginFactory } from '../../adapters/backends/plugin/types.ts'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { memoryStore } from '../../adapters/stores/memory.ts'
import type { Backend, ModelSource } from '../../core/backend/types.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import type { Log } from '../../core/platform.ts'

export { packBytes, unpackBytes } from '../../core/bytes.ts'
export { ServerError } from '../../core/errors.ts'
export { backendCases } from './backend-cases.ts'
export {
  type BackendContract,
  type ContractCase,
  type ContractModels,
  type ContractSample,
  execute,
  outputOf,
  requestOf,
} from './backend-tools.ts'

/** The backend that a plug-in's factory makes, as the server has it: with what the server guards itself by. */
export function openPlugin(
  factory: PluginFactory,
  name: string,
  log: Log = SILENT,
): Promise<Backend> {
  return new Plugin(factory, { name, clock: nodeClock(), log }).lend()
}

/** Version 1 of a model in memory, as a load gets it. */
export function modelSource(model: {
  readonly name: string
  /** Complete. */
  readonly config: ModelConfig
  /** What lies in the version's folder, by name. Default nothing. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** `--backend-config` of the backend. Default none. */
  readonly settings?: Readonly<Record<string, string>>
}): ModelSource {
  const { name, config, files = {}, settings = {} } = model
  const placed = new Map<string, Uint8Array>()
  for (const [file, content] of Object.entries(files)) {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
    placed.set(`${name}/1/${file}`, bytes)
  }
  return {
    name,
    version: 1,
    config: { name, ...config },
    settings: new Map(Object.entries(settings)),
    store: memoryStore({ files: placed }),
    modelPath: name,
    versionPath: `${name}/1`,
    log: SILENT,
  }
}

const SILENT: Log = { error: () => {}, warning: () => {}, info: () => {}, verbose: () => {} }
