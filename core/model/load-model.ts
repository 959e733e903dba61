import type { Backend, Instance, ModelSource } from '../backend/types.ts'
import type { Caching } from '../cache/caching.ts'
import type { Clock } from '../platform.ts'
import type { RateLimiter } from '../rate-limit/types.ts'
import { createScheduler } from '../schedulers/create.ts'
import type { Scheduler } from '../schedulers/types.ts'
import { FirstResponseHistogram, ModelStats } from '../stats.ts'
import { finishConfig } from './finish-config.ts'
import { firstResponseBuckets } from './first-response-buckets.ts'
import { readInitialStates } from './initial-states.ts'
import { type PlannedInstance, planInstances } from './instance-group.ts'
import { readLabels } from './labels.ts'
import { limitInstances } from './limit-instances.ts'
import { closeAll, LoadedModel } from './model.ts'
import { placedInstance } from './placed-instance.ts'
import { createRequestCheck } from './request-check.ts'
import { warmUp, warmupSamples } from './warmup.ts'

export interface LoadModelOptions {
  /** `source.config` names its backend already; the rest may still be missing. */
  readonly source: ModelSource
  readonly backend: Backend
  readonly clock: Clock
  /** False with `--disable-auto-complete-config`. */
  readonly autoComplete: boolean
  /** Absent = every instance runs whenever it is free. */
  readonly limiter?: RateLimiter | undefined
  /** Absent = no response is kept, whatever the config says. */
  readonly caching?: Caching | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Loads one version: the backend opens the model file, its metadata completes the config, the config is checked against
 * it, instances are made and warmed up. What was opened is closed again when a later step fails. Throws the reason.
 */
export async function loadModel(options: LoadModelOptions): Promise<LoadedModel> {
  const { source, backend, clock, caching, signal } = options
  const startNs = clock.now()
  const backendModel = await backend.load(source, signal)
  const instances: Instance[] = []
  let serving: readonly Instance[] = instances
  let scheduler: Scheduler | undefined
  try {
    const config = finishConfig({ ...options, backendModel })
    const labels = await readLabels(source, config, signal)
    const initialStates = await readInitialStates({ config, source, signal })
    const identity = (await caching?.identify({ source, config, signal })) ?? null
    const check = createRequestCheck(config, source.name, source.version)
    const planned = planInstances(config, backend)
    // Settled, not raced: every instance that was made must be known before any is closed.
    const made = await Promise.allSettled(
      planned.map(({ placement }) => backendModel.instance(placement, config)),
    )
    for (const [i, one] of made.entries()) {
      if (one.status === 'fulfilled')
        instances.push(placedInstance(one.value, (planned[i] as PlannedInstance).placement))
    }
    for (const one of made) if (one.status === 'rejected') throw one.reason
    serving = limitInstances({ limiter: options.limiter, config, planned, instances })
    const stats = new ModelStats()
    for (const { placement } of planned) {
      if (placement.kind === 'KIND_GPU') stats.devices.set(placement.device, new ModelStats())
    }
    const decoupled = config.model_transaction_policy?.decoupled === true
    if (decoupled) stats.firstResponse = new FirstResponseHistogram(firstResponseBuckets(config))
    scheduler = createScheduler({
      config,
      instances: serving.filter((_, i) => planned[i]?.passive !== true),
      stats,
      clock,
      log: source.log,
      modelName: source.name,
      version: source.version,
      initialStates,
    })
    if (caching !== undefined) {
      scheduler = caching.schedule(scheduler, { source, config, identity: () => identity, stats })
    }
    const samples = await warmupSamples({
      config,
      source,
      check: (request) => check.check(request),
      signal,
    })
    for (const instance of instances) await warmUp(instance, samples, { decoupled, signal })
    stats.loadSeconds = (clock.now() - startNs) / 1e9
    return new LoadedModel({
      name: source.name,
      version: source.version,
      config,
      check,
      scheduler,
      instances: serving,
      backendModel,
      labels,
      stats,
      clock,
      identity: () => identity,
      ...runnableOf(instances),
      ...tellReadyOf(instances),
    })
  } catch (error) {
    await scheduler?.close()
    await closeAll(serving, backendModel)
    throw error
  }
}

/** A model that tells by itself is ready where each of its instances says so. */
function tellReadyOf(instances: readonly Instance[]): { tellReady?: () => Promise<boolean> } {
  if (instances.every(({ tellReady }) => tellReady === undefined)) return {}
  return {
    async tellReady() {
      const told = instances.map(async (one) => (await one.tellReady?.()) ?? true)
      return (await Promise.all(told).catch(() => [false])).every((ready) => ready)
    },
  }
}

/** A model whose instances can be down is ready while one of them is not. */
function runnableOf(instances: readonly Instance[]): { runnable?: () => boolean } {
  if (instances.every(({ ready }) => ready === undefined)) return {}
  return { runnable: () => instances.some(({ ready }) => ready !== false) }
}
