import type { ModelControlMode } from '../server-options.ts'
import type { RepositoryManager } from './manager.ts'
import type { ModelsOnDemand } from './on-demand.ts'

/** Loads what is to be there before the first request. Returns what went wrong, one line each. */
export async function loadAtStart(options: {
  readonly manager: RepositoryManager
  readonly mode: ModelControlMode
  readonly loadModels: readonly string[]
  readonly onDemand: ModelsOnDemand | undefined
}): Promise<readonly string[]> {
  const { manager, mode, loadModels, onDemand } = options
  if (onDemand !== undefined) {
    const { models, problems } = await manager.learnAll()
    return [...problems, ...(await onDemand.start(models))]
  }
  const everything = mode !== 'explicit' || loadModels[0] === '*'
  return everything ? manager.loadAll() : manager.loadNamed(loadModels)
}
