import type { ModelConfig } from '../../../core/config/types.ts'
import { type Range, wholeNumber } from '../hosted/whole-number.ts'
import { type MemoryLimits, SEGMENT_BYTES } from './memory-limits.ts'

/** Longest time that anything may be set to, milliseconds: a day. */
const MAX_MS = 86_400_000
/** Most memory that an instance may be given, MB. */
const MAX_MB = 16_777_216

/** Default of `python-runtime`. */
export const DEFAULT_PYTHON = 'python3'
/** Default of `stub-timeout-seconds`: how long a model may take to be imported, and `initialize` to end. */
export const DEFAULT_START_TIMEOUT_SECS = 30
/** Defaults of `shm-default-byte-size` and `shm-growth-byte-size`. */
export const DEFAULT_MEMORY_BYTES: number = 1024 * 1024
/** Default of `shm-max-byte-size`: what each of an instance's two memory files may grow to. */
export const DEFAULT_MAX_MEMORY_BYTES: number = 8 * 1024 ** 3

/** What flags and a model's config say of its instances. */
export interface PythonSettings {
  readonly python: string
  readonly startTimeoutMs: number
  readonly memory: MemoryLimits
  /** How long a batch may run; 0 (the default) = as long as it takes. */
  readonly executionTimeoutMs: number
  /** 0 (the default) = no limit. Resident memory of the process, that of the tensors it looks at included. */
  readonly memoryLimitMb: number
}

/** Throws INVALID_ARG for a value that is none. */
export function pythonSettings(
  config: ModelConfig,
  flags: ReadonlyMap<string, string>,
): PythonSettings {
  const flag = (name: string, range: Range): number => wholeNumber(name, flags.get(name), range)
  const parameter = (name: string, range: Range): number =>
    wholeNumber(name, config.parameters?.[name]?.string_value, range)
  const size = (name: string, least: number, otherwise: number): number =>
    Math.ceil(flag(name, { otherwise, least, most: 2 ** 50 }) / SEGMENT_BYTES) * SEGMENT_BYTES
  const initial = size('shm-default-byte-size', DEFAULT_MEMORY_BYTES, DEFAULT_MEMORY_BYTES)
  const startSecs = flag('stub-timeout-seconds', {
    otherwise: DEFAULT_START_TIMEOUT_SECS,
    least: 1,
    most: MAX_MS / 1000,
  })
  return {
    python: flags.get('python-runtime') || DEFAULT_PYTHON,
    startTimeoutMs: startSecs * 1000,
    memory: {
      initial,
      growth: size('shm-growth-byte-size', 1, DEFAULT_MEMORY_BYTES),
      most: Math.max(initial, size('shm-max-byte-size', 1, DEFAULT_MAX_MEMORY_BYTES)),
    },
    executionTimeoutMs: parameter('execution_timeout_ms', { otherwise: 0, least: 0, most: MAX_MS }),
    memoryLimitMb: parameter('memory_limit_mb', { otherwise: 0, least: 16, most: MAX_MB }),
  }
}
