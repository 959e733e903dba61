import { OFF, TENSORS, TIMESTAMPS, type TraceLevel } from '../../core/trace/level.ts'
import type { TraceMode } from '../../core/trace/types.ts'
import { FlagError } from './flag-types.ts'

/** One `--trace-config`. */
export interface TraceConfigSetting {
  /** '' = of all modes. */
  readonly mode: TraceMode | ''
  readonly key: string
  readonly value: string
}

/** Reads `<mode>,<key>=<value>` or `<key>=<value>`. Throws {@link FlagError} with Triton's texts. */
export function traceSetting(text: string): TraceConfigSetting {
  const comma = text.indexOf(',')
  if (comma === 0) {
    throw new FlagError(
      `No trace mode specified. --trace-config option format is <trace mode>,<setting>=<value> or <setting>=<value>. Got ${text}`,
    )
  }
  const mode = comma < 0 ? '' : traceMode(text.slice(0, comma))
  const equals = text.indexOf('=', comma + 1)
  const key = equals < 0 ? '' : text.slice(comma + 1, equals)
  const value = text.slice(equals + 1)
  if (key === '' || value === '') {
    throw new FlagError(
      `--trace-config option format is '<trace mode>,<setting>=<value>'. Got ${text}`,
    )
  }
  return { mode, key, value }
}

export function traceMode(text: string): TraceMode {
  const mode = text.toLowerCase()
  if (mode === 'triton' || mode === 'opentelemetry') return mode
  throw new FlagError(
    `invalid value for trace mode option: ${mode}. Available options are "triton" and "opentelemetry"`,
  )
}

const LEVELS: Readonly<Record<string, TraceLevel>> = {
  false: OFF,
  off: OFF,
  true: TIMESTAMPS,
  on: TIMESTAMPS,
  min: TIMESTAMPS,
  max: TIMESTAMPS,
  timestamps: TIMESTAMPS,
  tensors: TENSORS,
}

/** One level; several of them add up, and `OFF` outdoes all others. */
export function traceLevel(text: string): TraceLevel {
  const name = text.toLowerCase()
  const level = Object.hasOwn(LEVELS, name) ? LEVELS[name] : undefined
  if (level === undefined) throw new FlagError(`invalid value for trace level option: ${name}`)
  return level
}
