import { levelNames } from '../../trace/level.ts'
import { fileRefused, parseCount, parseLevel, parseUnsigned } from '../../trace/setting-text.ts'
import type { TraceChange, TraceFacts, TraceValues } from '../../trace/types.ts'
import type { ProtocolLimits } from '../limits.ts'
import { TYPE_ERRORS } from './json-error.ts'
import { JsonReader } from './json-reader.ts'
import { asString, find, invalid, type JsonValue } from './json-value.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Members in Triton's order; every value is a string. */
export function traceSettingJson(values: TraceValues, facts: TraceFacts): string {
  return JSON.stringify({
    trace_level: levelNames(values.level),
    trace_rate: String(values.rate),
    trace_count: String(values.count),
    ...(facts.mode === 'triton'
      ? { log_frequency: String(values.logFrequency), trace_file: facts.file }
      : {}),
    trace_mode: facts.mode,
    ...Object.fromEntries(facts.options),
  })
}

/** What a request for other trace settings changes; `null` clears, unknown members change nothing. */
export function parseTraceBody(body: Uint8Array, limits: ProtocolLimits): TraceChange {
  const root = new JsonReader(body, limits).document()
  const change: Mutable<TraceChange> = {}
  if (find(root, 'trace_file') !== undefined) throw fileRefused()
  const level = find(root, 'trace_level')
  if (level === null) change.level = null
  else if (level !== undefined) {
    const parsed = parseLevel(names(level))
    if (parsed !== undefined) change.level = parsed
  }
  const rate = find(root, 'trace_rate')
  if (rate !== undefined) change.rate = unsigned('trace_rate', rate)
  const count = find(root, 'trace_count')
  if (count !== undefined) change.count = count === null ? null : parseCount(asString(count), '')
  const frequency = find(root, 'log_frequency')
  if (frequency !== undefined) change.logFrequency = unsigned('log_frequency', frequency)
  return change
}

function unsigned(name: string, value: JsonValue): number | null {
  return value === null ? null : parseUnsigned(name, asString(value))
}

function names(value: JsonValue): readonly string[] {
  if (!Array.isArray(value)) throw invalid(TYPE_ERRORS.array)
  return value.map((one) => asString(one))
}
