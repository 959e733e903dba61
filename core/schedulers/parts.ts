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

/** What the scheduler implementations share. */
export interface SchedulerParts extends SchedulerOptions {
  createRunners(
    options: Pick<RunnerOptions, 'onIdle' | 'onAnswered' | 'ordered'>,
  ): readonly Runner[]
}

export function createSchedulerParts(options: SchedulerOptions): SchedulerParts {
  const { stats, clock, log } = options
  const outputs = createOutputPlan(options.config)
  const decoupled = options.config.model_transaction_policy?.decoupled === true
  const create = decoupled ? createDecoupledRunner : createRunner
  const padding = paddingOf(options.config)
  const instances =
    padding === null
      ? options.instances
      : options.instances.map((instance) => new PaddedInstance(instance, padding))
  const what = `model '${options.modelName}' version ${options.version}`
  return {
    ...options,
    createRunners: (own) =>
      instances.map((instance) => create({ instance, outputs, stats, clock, log, what, ...own })),
  }
}
