import { inferBackend } from './infer-backend.ts'
import { normalizeInstanceGroups } from './instance-groups.ts'
import type { ModelConfig } from './types.ts'

/** Triton's `max_sequence_idle_microseconds` where the config gives none. */
export const DEFAULT_SEQUENCE_IDLE_MICROSECONDS = 1_000_000

/** What normalization has to know of the backend that will run the model. */
export interface NormalizeBackend {
  readonly name: string
  /** '' where models need no file. */
  readonly defaultModelFilename: string
  /** Instances of a CPU group without a count. Default 1. */
  readonly defaultCpuInstances?: number
  /** GPUs usable by the backend. Default none. */
  readonly gpus?: readonly number[]
}

export interface NormalizeOptions {
  readonly modelName: string
  /** Absent for ensembles and while the backend is not known yet. */
  readonly backend?: NormalizeBackend
}

/**
 * `config` with the defaults that Triton fills in and shows in the config endpoint. Idempotent; run again after
 * auto-completion, which may have added dynamic batching. The argument is left as it is.
 */
export function normalizeConfig(config: ModelConfig, options: NormalizeOptions): ModelConfig {
  const filled = fillNames(config, options)
  filled.version_policy ??= { latest: { num_versions: 1 } }
  fillPreferredSizes(filled)
  if (filled.ensemble_scheduling !== undefined) {
    filled.model_transaction_policy ??= { decoupled: false }
    return filled
  }
  filled.optimization = {
    ...filled.optimization,
    input_pinned_memory: filled.optimization?.input_pinned_memory ?? { enable: true },
    output_pinned_memory: filled.optimization?.output_pinned_memory ?? { enable: true },
  }
  filled.instance_group = normalizeInstanceGroups(filled, options.backend ?? {})
  return filled
}

function fillNames(config: ModelConfig, { modelName, backend }: NormalizeOptions): ModelConfig {
  const named: ModelConfig = { ...config, name: config.name || modelName }
  if (named.platform === 'ensemble') return named
  if (backend !== undefined && !named.backend && !named.platform) named.backend = backend.name
  const known = named.backend || named.platform
  const filled = known ? inferBackend({ files: [], modelName, config: named }) : named
  if (backend?.defaultModelFilename && !filled.default_model_filename) {
    filled.default_model_filename = backend.defaultModelFilename
  }
  return filled
}

function fillPreferredSizes(config: ModelConfig): void {
  const whole = (config.max_batch_size ?? 0) > 0 ? [config.max_batch_size ?? 0] : []
  const { dynamic_batching: dynamic, sequence_batching: sequence } = config
  if (dynamic !== undefined && !dynamic.preferred_batch_size?.length) {
    config.dynamic_batching = { ...dynamic, preferred_batch_size: whole }
  }
  if (sequence === undefined) return
  const oldest = sequence.oldest
  config.sequence_batching = {
    ...sequence,
    max_sequence_idle_microseconds:
      sequence.max_sequence_idle_microseconds || DEFAULT_SEQUENCE_IDLE_MICROSECONDS,
    ...(oldest === undefined || oldest.preferred_batch_size?.length
      ? {}
      : { oldest: { ...oldest, preferred_batch_size: whole } }),
  }
}
