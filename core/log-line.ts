import type { LogLevel } from './platform.ts'

export type LogFormat = 'default' | 'ISO8601'

/** Bytes of one log line, its prefix and quotes included; what is longer is cut and says so. */
export const MAX_LOG_LINE_BYTES: number = 16 * 1024

export interface LogLine {
  readonly level: LogLevel
  readonly format: LogFormat
  /** Microseconds since the Unix epoch. */
  readonly epochUs: number
  readonly pid: number
  /** `file:line` in Triton; here the part of the server that speaks. */
  readonly source: string
  readonly message: string
}

const LETTERS: Readonly<Record<LogLevel, string>> = {
  error: 'E',
  warning: 'W',
  info: 'I',
  verbose: 'I',
}

/**
 * Everything before the message: `I1121 03:14:08.465874 2579 file.cc:305] ` or, with ISO8601,
 * `2026-11-21T03:14:08Z I 2579 file.cc:305] `. Both are UTC.
 */
export function logPrefix(line: Omit<LogLine, 'message'>): string {
  const letter = LETTERS[line.level]
  const seconds = Math.floor(line.epochUs / 1_000_000)
  const { year, month, day, hour, minute, second } = civil(seconds)
  const time = `${two(hour)}:${two(minute)}:${two(second)}`
  const tail = `${line.pid} ${line.source}] `
  if (line.format === 'ISO8601') {
    return `${year}-${two(month)}-${two(day)}T${time}Z ${letter} ${tail}`
  }
  const micros = Math.floor(line.epochUs - seconds * 1_000_000)
  return `${letter}${two(month)}${two(day)} ${time}.${String(micros).padStart(6, '0')} ${tail}`
}

/** One record, without its line feed: whatever the message holds, it cannot end the line or start another. */
export function formatLogLine(line: LogLine): string {
  const prefix = logPrefix(line)
  return `${prefix}"${cut(line.message, MAX_LOG_LINE_BYTES - prefix.length - 2)}"`
}

/** Control characters (C0, DEL, C1), the Unicode line ends, and lone surrogates. */
const UNSAFE = /[\p{Cc}\u2028\u2029\p{Surrogate}]/gu

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

function escapeUnsafe(char: string): string {
  return SHORT_ESCAPES[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** `text` with JSON's escapes for all that could break a line or drive a terminal; quotes and backslashes stay. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, escapeUnsafe)
}

/** `text` as the inside of a JSON string. */
export function escapeLogText(text: string): string {
  return escapeControls(text.replace(/["\\]/g, '\\$&'))
}

function cut(message: string, maxBytes: number): string {
  // No character gives more than six bytes (\u001b); most messages need no second look.
  if (message.length * 6 <= maxBytes) return escapeLogText(message)
  const encoder = new TextEncoder()
  const escaped = escapeLogText(message.slice(0, maxBytes))
  if (message.length <= maxBytes && encoder.encode(escaped).length <= maxBytes) return escaped
  const room = maxBytes - 64
  let bytes = 0
  let kept = ''
  let taken = 0
  for (const char of message) {
    const piece = escapeLogText(char)
    const size = encoder.encode(piece).length
    if (bytes + size > room) break
    bytes += size
    kept += piece
    taken += char.length
  }
  return `${kept}... (${message.length - taken} more characters)`
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}

/** UTC calendar of `seconds` since the epoch (proleptic Gregorian, days counted from 0000-03-01). */
function civil(seconds: number): {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
} {
  const days = Math.floor(seconds / 86_400)
  const ofDay = seconds - days * 86_400
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return {
    year,
    month,
    day,
    hour: Math.floor(ofDay / 3600),
    minute: Math.floor(ofDay / 60) % 60,
    second: ofDay % 60,
  }
}
