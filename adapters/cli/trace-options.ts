import { OFF, TENSORS, type TraceLevel } from '../../core/trace/level.ts'
import { DEFAULT_TRACE_RATE } from '../../core/trace/tracer.ts'
import type { TraceMode } from '../../core/trace/types.ts'
import type { FlagReader } from './flag-reader.ts'
import { FlagError, type FlagValues } from './flag-types.ts'
import { parseNumber } from './flag-values.ts'
import type { TraceFlags } from './options.ts'
import { type TraceConfigSetting, traceLevel, traceMode, traceSetting } from './trace-setting.ts'

type Environment = Readonly<Record<string, string | undefined>>

const DEFAULT_URL = 'http://localhost:4318/v1/traces'
/** Settings of OpenTelemetry's batches and what they are without being set, in the order in which Triton shows them then. */
const BATCH_DEFAULTS: readonly (readonly [key: string, value: string])[] = [
  ['bsp_max_export_batch_size', '512'],
  ['bsp_schedule_delay', '5000'],
  ['bsp_max_queue_size', '2048'],
]

const INT32 = { name: '', type: 'integer', help: '', effect: 'served' } as const
const int32 = (text: string): number =>
  parseNumber({ ...INT32, min: -0x8000_0000, max: 0x7fff_ffff }, text)
const uint32 = (text: string): number => parseNumber({ ...INT32, min: 0, max: 0xffff_ffff }, text)

/** Puts `--trace-config` and the flags it stands in for together. Throws {@link FlagError} with Triton's texts. */
export function traceFlags(
  read: FlagReader,
  values: FlagValues,
  env: Environment,
): { readonly flags: TraceFlags; readonly warnings: readonly string[] } {
  const warnings: string[] = []
  const settings = read.list('trace-config').map(traceSetting)
  const old = (flag: string, instead: string): boolean => {
    const given = values.has(flag)
    if (given) warnings.push(`--${flag} is deprecated: use --trace-config ${instead}`)
    return given
  }
  const levels = old('trace-level', 'level=<level>') ? read.list('trace-level').map(traceLevel) : []
  let rate = old('trace-rate', 'rate=<n>') ? read.number('trace-rate') : DEFAULT_TRACE_RATE
  let count = old('trace-count', 'count=<n>') ? read.number('trace-count') : -1
  let file = old('trace-file', 'triton,file=<path>') ? read.string('trace-file') : ''
  let logFrequency = old('trace-log-frequency', 'triton,log-frequency=<n>')
    ? read.number('trace-log-frequency')
    : 0
  let mode: TraceMode = 'triton'

  for (const one of settings.filter((setting) => setting.mode === '')) {
    told(one, () => {
      if (one.key === 'rate') rate = int32(one.value)
      if (one.key === 'level') levels.push(traceLevel(one.value))
      if (one.key === 'mode') mode = traceMode(one.value)
      if (one.key === 'count') count = int32(one.value)
    })
  }
  const own = settings.filter((setting) => setting.mode === mode)
  if (mode === 'triton') {
    for (const one of own) {
      told(one, () => {
        if (one.key === 'file') file = one.value
        if (one.key === 'log-frequency') logFrequency = int32(one.value)
      })
    }
  }
  const options =
    mode === 'triton'
      ? own.filter(({ key }) => key !== 'file' && key !== 'log-frequency').map(pair)
      : exportOptions(own, env)
  const level: TraceLevel = levels.includes(OFF) ? OFF : levels.reduce((a, b) => a | b, OFF)
  warnings.push(...oddities(level, mode, file))
  const flags = {
    level,
    rate: rate >>> 0,
    count,
    logFrequency: logFrequency >>> 0,
    mode,
    file,
    options,
    export: exporter(options),
  }
  return { flags, warnings }
}

function oddities(level: TraceLevel, mode: TraceMode, file: string): readonly string[] {
  if (level === OFF) return []
  if (mode === 'triton') {
    return file === '' ? ['nothing is traced without --trace-config triton,file=<path>'] : []
  }
  return (level & TENSORS) === 0 ? [] : ['tensors are not traced in opentelemetry mode']
}

const pair = ({ key, value }: TraceConfigSetting) => [key, value] as const

/** What was given, then what was not; numbers as numbers are written. */
function exportOptions(
  given: readonly TraceConfigSetting[],
  env: Environment,
): TraceFlags['options'] {
  const options = given.map((one) => {
    const known = BATCH_DEFAULTS.some(([key]) => key === one.key)
    return [one.key, known ? String(told(one, () => uint32(one.value))) : one.value] as const
  })
  for (const [key, value] of BATCH_DEFAULTS) {
    if (given.some((one) => one.key === key)) continue
    const variable = `OTEL_${key.toUpperCase()}`
    options.push([key, String(badOption(variable, () => uint32(env[variable] ?? value)))])
  }
  return options
}

function exporter(options: TraceFlags['options']): TraceFlags['export'] {
  const last = (name: string): string | undefined =>
    options.filter(([key]) => key === name).at(-1)?.[1]
  const resource = options.filter(([key]) => key === 'resource').map(([, value]) => value)
  const fallback = new Map(BATCH_DEFAULTS)
  const number = (name: string): number => Number(last(name) ?? fallback.get(name))
  return {
    url: last('url') ?? DEFAULT_URL,
    resource: Object.fromEntries(
      resource.map((text) => {
        const equals = text.indexOf('=')
        return equals < 0 ? [text, text] : [text.slice(0, equals), text.slice(equals + 1)]
      }),
    ),
    maxQueueSize: Math.max(1, number('bsp_max_queue_size')),
    scheduleDelayMs: number('bsp_schedule_delay'),
    maxBatchSize: Math.max(1, number('bsp_max_export_batch_size')),
  }
}

function told<T>({ mode, key }: TraceConfigSetting, run: () => T): T {
  return badOption(`--trace-config ${mode === '' ? '' : `${mode},`}${key}`, run)
}

function badOption<T>(what: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof FlagError)) throw error
    throw new FlagError(`Bad option: "${what}".\n${error.message}`)
  }
}
