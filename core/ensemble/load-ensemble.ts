import type { BackendModel, ModelSource } from '../backend/types.ts'
import type { Caching } from '../cache/caching.ts'
import { normalizeConfig } from '../config/normalize.ts'
import type { ModelConfig } from '../config/types.ts'
import { validateConfig } from '../config/validate.ts'
import { ServerError } from '../errors.ts'
import { firstResponseBuckets } from '../model/first-response-buckets.ts'
import { type Labels, readLabels } from '../model/labels.ts'
import { LoadedModel } from '../model/model.ts'
import { createRequestCheck } from '../model/request-check.ts'
import type { Clock } from '../platform.ts'
import { FirstResponseHistogram, ModelStats } from '../stats.ts'
import { checkEnsemble } from './check.ts'
import { createGraph } from './graph.ts'
import { ensembleIdentity } from './identity.ts'
import { createEnsembleScheduler } from './scheduler.ts'
import type { StepModels } from './types.ts'

export interface LoadEnsembleOptions {
  readonly source: ModelSource
  readonly models: StepModels
  readonly clock: Clock
  /** Absent = no response is kept, whatever the config says. */
  readonly caching?: Caching | undefined
  readonly signal?: AbortSignal | undefined
}

/** Whether a config is an ensemble's: no backend runs it. */
export function isEnsemble(config: ModelConfig): boolean {
  return config.platform === 'ensemble' || config.ensemble_scheduling !== undefined
}

/** Loads one version of an ensemble, whose composing models serve already. Throws the reason. */
export async function loadEnsemble(options: LoadEnsembleOptions): Promise<LoadedModel> {
  const { source, models, clock, caching, signal } = options
  const startNs = clock.now()
  const modelName = source.name
  const given = normalizeConfig(source.config, { modelName })
  validateConfig(given, { modelName })
  const own = await readLabels(source, given, signal)
  const digest = await caching?.identify({ source, config: given, signal })
  // In one turn from here: the composing models stay as they are while they are looked at.
  const decoupled = checkEnsemble({
    config: given,
    composing: (name) => models.find(name, '').config,
  })
  const config: ModelConfig = { ...given, model_transaction_policy: { decoupled } }
  const stats = new ModelStats()
  if (decoupled) stats.firstResponse = new FirstResponseHistogram(firstResponseBuckets(config))
  const scheduler = createEnsembleScheduler({ config, models, stats, clock, log: source.log })
  const identity =
    digest === undefined ? () => null : ensembleIdentity(digest, createGraph(config), models)
  stats.loadSeconds = (clock.now() - startNs) / 1e9
  return new LoadedModel({
    name: modelName,
    version: source.version,
    config,
    check: createRequestCheck(config, modelName, source.version),
    scheduler: caching?.schedule(scheduler, { source, config, identity, stats }) ?? scheduler,
    instances: [],
    backendModel: NO_BACKEND,
    labels: ensembleLabels(config, own, models),
    stats,
    clock,
    identity,
    runnable: () => scheduler.runnable,
  })
}

/** Labels of an output: its own file's, or those of the step that gives it. */
function ensembleLabels(config: ModelConfig, own: Labels, models: StepModels): Pick<Labels, 'get'> {
  const graph = createGraph(config)
  return {
    get(output) {
      const labels = own.get(output)
      if (labels !== undefined) return labels
      const slot = graph.slotOf.get(output)
      const step = slot === undefined ? undefined : graph.steps[graph.writers[slot] as number]
      const port = step?.outputs.find((one) => one.slot === slot)
      if (step === undefined || port === undefined) return undefined
      try {
        return models.find(step.model, step.version).labels(port.name)
      } catch (error) {
        // The step's model is gone since the request ran: its labels are gone with it.
        if (error instanceof ServerError) return undefined
        throw error
      }
    },
  }
}

const NO_BACKEND: BackendModel = {
  instance: () => Promise.reject(new ServerError('INTERNAL', 'an ensemble has no instances')),
  close: () => Promise.resolve(),
}
