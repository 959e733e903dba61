import { ServerError } from '../../../core/errors.ts'
import type { LogSettings } from '../../../core/server-types.ts'
import {
  type LogSettingsRequest_SettingValue,
  LogSettingsRequestSchema,
  LogSettingsResponseSchema,
} from '../messages/grpc_service_pb.ts'
import { answer } from './answer.ts'
import type { Answer } from './types.ts'

type Settings = Readonly<Record<string, LogSettingsRequest_SettingValue>>

/** The level is an int32 behind the uint32 of the message: what lies above is negative there, and no level at all. */
const MAX_LEVEL = 0x7fff_ffff

/** All of a change or nothing of it; settings of other names change nothing. */
export const logSettings: Answer = answer({
  input: LogSettingsRequestSchema,
  output: LogSettingsResponseSchema,
  run: ({ settings }, { logControl }) => {
    const change = logChange(settings)
    const now = Object.keys(change).length === 0 ? logControl.get() : logControl.set(change)
    return {
      settings: {
        log_file: text(now.log_file),
        log_info: flag(now.log_info),
        log_warning: flag(now.log_warning),
        log_error: flag(now.log_error),
        log_verbose_level: count(now.log_verbose_level),
        log_format: text(now.log_format),
      },
    }
  },
})

function logChange(settings: Settings): Partial<LogSettings> {
  const change: Partial<LogSettings> = {}
  if (settings['log_file'] !== undefined) {
    throw new ServerError(
      'UNSUPPORTED',
      'log file location can not be updated through network protocol',
    )
  }
  for (const key of ['log_info', 'log_warning', 'log_error'] as const) {
    const choice = settings[key]?.parameterChoice
    if (choice === undefined) continue
    if (choice.case !== 'boolParam') throw expected('boolean', key)
    change[key] = choice.value
  }
  const level = settings['log_verbose_level']?.parameterChoice
  if (level !== undefined) {
    if (level.case !== 'uint32Param') throw expected('int32', 'log_verbose_level')
    change.log_verbose_level = level.value > MAX_LEVEL ? 0 : level.value
  }
  const format = settings['log_format']?.parameterChoice
  if (format !== undefined) {
    if (format.case !== 'stringParam') throw expected('string', 'log_format')
    if (format.value !== 'default' && format.value !== 'ISO8601') {
      throw new ServerError('INVALID_ARG', `invalid argument for log_format, got: ${format.value}`)
    }
    change.log_format = format.value
  }
  return change
}

function expected(type: string, key: string): ServerError {
  return new ServerError('INVALID_ARG', `expect ${type} for '${key}'`)
}

function flag(value: boolean) {
  return { parameterChoice: { case: 'boolParam', value } } as const
}

function count(value: number) {
  return { parameterChoice: { case: 'uint32Param', value } } as const
}

function text(value: string) {
  return { parameterChoice: { case: 'stringParam', value } } as const
}
