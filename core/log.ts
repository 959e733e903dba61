import { ServerError } from './errors.ts'
import { escapeControls, formatLogLine, type LogFormat, logPrefix } from './log-line.ts'
import type { Log, LogLevel } from './platform.ts'
import type { LogControl, LogSettings } from './server-types.ts'

/** A log that front ends can adjust and that can print Triton's start-up tables. */
export interface ServerLog extends Log, LogControl {
  /** Prints `lines` as they are after an info prefix on its own line; control characters in them are escaped. */
  table(lines: readonly string[]): void
}

export interface ServerLogOptions {
  /** Takes whole lines, line feed included. */
  readonly write: (text: string) => void
  /** Microseconds since the Unix epoch. */
  readonly epochUs: () => number
  readonly pid: number
  /** Stands where Triton prints `file:line`. Default `nereid:1`. */
  readonly source?: string
  readonly settings?: Partial<LogSettings>
}

/** Triton's `--log-*` defaults. */
export const DEFAULT_LOG_SETTINGS: Readonly<LogSettings> = {
  log_file: '',
  log_info: true,
  log_warning: true,
  log_error: true,
  log_verbose_level: 0,
  log_format: 'default',
}

/** Triton's log: its line formats, its switches, and its refusal to move the file on a client's word. */
export function createLog(options: ServerLogOptions): ServerLog {
  const settings: LogSettings = { ...DEFAULT_LOG_SETTINGS, ...options.settings }
  const source = options.source ?? 'nereid:1'

  const head = (level: LogLevel) => ({
    level,
    format: settings.log_format as LogFormat,
    epochUs: options.epochUs(),
    pid: options.pid,
    source,
  })
  const say = (level: LogLevel, message: string): void => {
    options.write(`${formatLogLine({ ...head(level), message })}\n`)
  }

  return {
    error: (message) => settings.log_error && say('error', message),
    warning: (message) => settings.log_warning && say('warning', message),
    info: (message) => settings.log_info && say('info', message),
    verbose: (level, message) => settings.log_verbose_level >= level && say('verbose', message),
    table: (lines) => {
      if (!settings.log_info) return
      options.write(`${logPrefix(head('info'))}\n${lines.map(escapeControls).join('\n')}\n\n`)
    },
    get: () => ({ ...settings }),
    set: (change) => {
      checkChange(change)
      Object.assign(settings, change)
      return { ...settings }
    },
    enabled: (level) =>
      level === 'verbose' ? settings.log_verbose_level > 0 : settings[`log_${level}`],
  }
}

/** A log file named by a client would be an arbitrary append to any file: it is set on the command line only. */
function checkChange(change: Partial<LogSettings>): void {
  if (change.log_file !== undefined) {
    throw new ServerError(
      'UNSUPPORTED',
      'log file location can not be updated through network protocol',
    )
  }
  const format: string | undefined = change.log_format
  if (format !== undefined && format !== 'default' && format !== 'ISO8601') {
    throw new ServerError('UNAVAILABLE', `invalid argument for --log_format, got: ${format}`)
  }
  const level = change.log_verbose_level
  if (level !== undefined && !(Number.isInteger(level) && level >= 0)) {
    throw new ServerError('INVALID_ARG', `log_verbose_level must be an integer >= 0, got: ${level}`)
  }
}
