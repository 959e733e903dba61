import type { Instance } from '../backend/types.ts'
import { paddingOf } from '../config/padding.ts'
import type { ModelConfig } from '../config/types.ts'
import type { Clock, Log } from '../platform.ts'
import type { ModelStats } from '../stats.ts'
import type { Tensor } from '../tensor.ts'
import { createDecoupledRunner } from './decoupled-runner.ts'
import { createRunner, type Runner, type RunnerOptions } from './execute.ts'
import { createOutputPlan } from './output-plan.ts'
import { PaddedInstance } from './padded-instance.ts'

export interface SchedulerOptions {
  /** Complete and normalized. */
  readonly config: ModelConfig
  /** One or more; the scheduler uses them until it is closed and never closes them. */
  readonly instances: readonly Instance[]
  readonly stats: ModelStats
  readonly clock: Clock
  readonly log: Log
  readonly modelName: string
  readonly version: number
  /**
   * Dynamic batching only: nothing runs until this many requests wait, once. 0 (the default) = off. Triton's
   * TRITONSERVER_DELAY_SCHEDULER, which its tests use to make batches predictable.
   */
  readonly delayUntilQueued?: number
  /** By state input: what `initial_state` gives a sequence's first step, with the batch dimension. */
  readonly initialStates?: ReadonlyMap<string, Tensor>
}

type OwnOptions = Pick<RunnerOptions, 'onIdle' | 'onAnswered' | 'ordered'>

/** What the scheduler implementations share. */
export interface SchedulerParts extends SchedulerOptions {
  /** One for each instance. */
  createRunners(options: OwnOptions): readonly Runner[]
  /** One for each place where an instance takes batches ahead; to be used while it is `ready`. */
  createRunnersAhead(options: OwnOptions): readonly Runner[]
}

export function createSchedulerParts(options: SchedulerOptions): SchedulerParts {
  const { stats, clock, log } = options
  const outputs = createOutputPlan(options.config)
  const decoupled = options.config.model_transaction_policy?.decoupled === true
  const create = decoupled ? createDecoupledRunner : createRunner
  const padding = paddingOf(options.config)
  const instances: readonly Instance[] =
    padding === null
      ? options.instances
      : options.instances.map((instance) => new PaddedInstance(instance, padding))
  const what = `model '${options.modelName}' version ${options.version}`
  const runnersOf = (of: readonly Instance[], own: OwnOptions): readonly Runner[] =>
    of.map((instance) => create({ instance, outputs, stats, clock, log, what, ...own }))
  return {
    ...options,
    createRunners: (own) => runnersOf(instances, own),
    createRunnersAhead: (own) =>
      decoupled
        ? []
        : runnersOf(
            instances.flatMap(({ ahead = [] }) => ahead),
            own,
          ),
  }
}
