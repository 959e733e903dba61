import type { ModelConfig } from '../../core/config/types.ts'
import { type Range, wholeNumber } from './hosted/whole-number.ts'

/** Longest time that anything may be set to, milliseconds: a day. */
const MAX_MS = 86_400_000
/** Most memory that an instance may be given, MB. */
const MAX_MB = 1_048_576

/** Default of `execution_timeout_ms`: how long a batch may run, or a decoupled model be silent. */
export const DEFAULT_EXECUTION_TIMEOUT_MS = 60_000
/** Default of `memory_limit_mb`. Counts JavaScript's heap, not the bytes of tensors. */
export const DEFAULT_MEMORY_LIMIT_MB = 1024
/** Default of `initialize_timeout_ms`: how long the module may take to be imported, and `initialize` to end. */
export const DEFAULT_INITIALIZE_TIMEOUT_MS = 60_000

/** What `parameters` of a config say of the instances of a model. */
export interface TypescriptSettings {
  /** 0 = none. */
  readonly executionTimeoutMs: number
  readonly initializeTimeoutMs: number
  readonly memoryLimitMb: number
}

/** Throws INVALID_ARG for a value that is none. */
export function typescriptSettings(config: ModelConfig): TypescriptSettings {
  const parameter = (name: string, range: Range): number =>
    wholeNumber(name, config.parameters?.[name]?.string_value, range)
  return {
    executionTimeoutMs: parameter('execution_timeout_ms', {
      otherwise: DEFAULT_EXECUTION_TIMEOUT_MS,
      least: 0,
      most: MAX_MS,
    }),
    initializeTimeoutMs: parameter('initialize_timeout_ms', {
      otherwise: DEFAULT_INITIALIZE_TIMEOUT_MS,
      least: 1,
      most: MAX_MS,
    }),
    memoryLimitMb: parameter('memory_limit_mb', {
      otherwise: DEFAULT_MEMORY_LIMIT_MB,
      least: 8,
      most: MAX_MB,
    }),
  }
}
