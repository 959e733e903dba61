import { ServerError } from '../errors.ts'
import { OFF, TENSORS, TIMESTAMPS, type TraceLevel } from './level.ts'

const MAX_INT32 = 0x7fff_ffff
const MIN_INT32 = -0x8000_0000
const MAX_UINT32 = 0xffff_ffff
/** The least `trace_count`: no end. */
const MIN_COUNT = -1

function invalid(message: string): ServerError {
  return new ServerError('INVALID_ARG', message)
}

/** A 32-bit integer as C reads it: white space and a sign before it, anything behind it. */
function parseInteger(name: string, text: string, range: string): number {
  const digits = /^[ \t\n\v\f\r]*([+-]?\d+)/.exec(text)?.[1]
  if (digits === undefined) throw invalid(`Unable to parse '${name}', got: ${text}`)
  const value = Number(digits)
  if (value > MAX_INT32 || value < MIN_INT32) {
    throw invalid(`Unable to parse '${name}', value is out of range ${range}, got: ${text}`)
  }
  return value
}

/** `trace_rate` or `log_frequency`. A negative number is a very large one, as in Triton. */
export function parseUnsigned(name: string, text: string): number {
  return parseInteger(name, text, `[ 0, ${MAX_UINT32} ]`) >>> 0
}

/** `trace_count`. `gap` stands before the value in the refusal: REST has none there, gRPC a space. */
export function parseCount(text: string, gap: '' | ' '): number {
  const count = parseInteger('trace_count', text, `[ ${MIN_COUNT}, ${MAX_INT32} ]`)
  if (count >= MIN_COUNT) return count
  throw invalid(`Unable to parse 'trace_count'. Expecting value >= ${MIN_COUNT}, got:${gap}${text}`)
}

/** The level that names stand for; undefined where none of them is one, which changes nothing. */
export function parseLevel(names: readonly string[]): TraceLevel | undefined {
  let level: TraceLevel | undefined
  for (const name of names) {
    if (name === 'OFF') {
      if (names.length > 1) throw invalid("Expect only one trace level 'OFF' is specified")
      level = OFF
    } else if (name === 'TIMESTAMPS') level = (level ?? OFF) | TIMESTAMPS
    else if (name === 'TENSORS') level = (level ?? OFF) | TENSORS
  }
  return level
}

/** Who may choose a file may write any file. */
export function fileRefused(): ServerError {
  return new ServerError(
    'UNSUPPORTED',
    'trace file location can not be updated through network protocol',
  )
}

export function unknownModel(name: string): ServerError {
  return invalid(`Request for unknown model : ${name}`)
}
