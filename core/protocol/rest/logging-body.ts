import { ServerError } from '../../errors.ts'
import type { LogSettings } from '../../server-types.ts'
import type { ProtocolLimits } from '../limits.ts'
import { JsonReader } from './json-reader.ts'
import { asBoolean, asString, asUnsigned, find, type JsonValue } from './json-value.ts'

const MAX_LEVEL = 0x7fff_ffff

/** Members in Triton's order. */
export function loggingJson(settings: LogSettings): string {
  const { log_file, log_info, log_warning, log_error, log_verbose_level, log_format } = settings
  return JSON.stringify({
    log_file,
    log_info,
    log_warning,
    log_error,
    log_verbose_level,
    log_format,
  })
}

/** What a logging request changes; `null` and unknown members change nothing. The file is not the network's to choose. */
export function parseLoggingBody(body: Uint8Array, limits: ProtocolLimits): Partial<LogSettings> {
  const root = new JsonReader(body, limits).document()
  const change: Partial<LogSettings> = {}
  if (given(root, 'log_file') !== undefined) {
    throw new ServerError(
      'UNSUPPORTED',
      'log file location can not be updated through network protocol',
    )
  }
  for (const key of ['log_info', 'log_warning', 'log_error'] as const) {
    const value = given(root, key)
    if (value !== undefined) change[key] = asBoolean(value)
  }
  const level = given(root, 'log_verbose_level')
  if (level !== undefined) change.log_verbose_level = Math.min(Number(asUnsigned(level)), MAX_LEVEL)
  const format = given(root, 'log_format')
  if (format !== undefined) {
    const text = asString(format)
    if (text !== 'default' && text !== 'ISO8601') {
      throw new ServerError('UNAVAILABLE', `invalid argument for --log_format, got: ${text}`)
    }
    change.log_format = text
  }
  return change
}

function given(root: JsonValue, key: string): JsonValue | undefined {
  return find(root, key) ?? undefined
}
