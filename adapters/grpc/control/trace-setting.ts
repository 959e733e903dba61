import { ServerError } from '../../../core/errors.ts'
import { levelNames } from '../../../core/trace/level.ts'
import {
  fileRefused,
  parseCount,
  parseLevel,
  parseUnsigned,
  unknownModel,
} from '../../../core/trace/setting-text.ts'
import type { TraceChange, TraceFacts, TraceValues } from '../../../core/trace/types.ts'
import {
  type TraceSettingRequest_SettingValue,
  TraceSettingRequestSchema,
  TraceSettingResponseSchema,
} from '../messages/grpc_service_pb.ts'
import { answer } from './answer.ts'
import type { Answer } from './types.ts'

type Settings = Readonly<Record<string, TraceSettingRequest_SettingValue>>
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const NO_TRACING: TraceValues = { level: 0, rate: 1000, count: -1, logFrequency: 0 }
const NO_FACTS: TraceFacts = { mode: 'triton', file: '', options: [] }

/** All of a change or nothing of it; settings of other names change nothing. */
export const traceSetting: Answer = answer({
  input: TraceSettingRequestSchema,
  output: TraceSettingResponseSchema,
  model: ({ modelName }) => modelName,
  run: ({ modelName, settings }, { server, tracer }) => {
    if (modelName !== '' && !server.modelReady(modelName, '')) throw unknownModel(modelName)
    if (Object.keys(settings).length > 0) {
      if (tracer === undefined) {
        throw new ServerError('UNSUPPORTED', 'this server does not support trace')
      }
      tracer.update(modelName, traceChange(settings))
    }
    const values = tracer?.settings(modelName) ?? NO_TRACING
    return { settings: shown(values, tracer?.facts ?? NO_FACTS) }
  },
})

function shown(values: TraceValues, facts: TraceFacts): Record<string, { value: string[] }> {
  const only = (value: string | number) => ({ value: [String(value)] })
  return {
    trace_level: { value: [...levelNames(values.level)] },
    trace_rate: only(values.rate),
    trace_count: only(values.count),
    ...(facts.mode === 'triton'
      ? { log_frequency: only(values.logFrequency), trace_file: only(facts.file) }
      : {}),
    trace_mode: only(facts.mode),
    ...Object.fromEntries(facts.options.map(([name, value]) => [name, only(value)])),
  }
}

/** No value at all clears a setting. */
function traceChange(settings: Settings): TraceChange {
  const change: Mutable<TraceChange> = {}
  if (settings['trace_file'] !== undefined) throw fileRefused()
  const names = settings['trace_level']?.value
  if (names !== undefined) {
    const level = names.length === 0 ? null : parseLevel(names)
    if (level !== undefined) change.level = level
  }
  const rate = only(settings, 'trace_rate')
  if (rate !== undefined) change.rate = rate && parseUnsigned('trace_rate', rate.text)
  const count = only(settings, 'trace_count')
  if (count !== undefined) change.count = count && parseCount(count.text, ' ')
  const frequency = only(settings, 'log_frequency')
  if (frequency !== undefined) {
    change.logFrequency = frequency && parseUnsigned('log_frequency', frequency.text)
  }
  return change
}

/** The one value of a setting; null = it has none, undefined = it is not named. */
function only(settings: Settings, name: string): { readonly text: string } | null | undefined {
  const value = settings[name]?.value
  if (value === undefined) return undefined
  const [text] = value
  if (text === undefined) return null
  if (value.length > 1) {
    throw new ServerError('INVALID_ARG', `expect only 1 value for '${name}'`)
  }
  return { text }
}
