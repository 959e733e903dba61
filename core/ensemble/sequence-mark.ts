import { ServerError } from '../errors.ts'
import type { InferRequest, Parameters, ParameterValue } from '../infer.ts'

/** The sequence a step's request belongs to. A model may change it for the steps after it through response parameters. */
export interface SequenceMark {
  readonly id: bigint | string
  readonly start: boolean
  readonly end: boolean
}

export function markOf(request: InferRequest): SequenceMark {
  const { sequenceId: id, sequenceStart: start, sequenceEnd: end } = request
  return id === 0n && !start && !end ? NO_SEQUENCE : { id, start, end }
}

const NO_SEQUENCE: SequenceMark = { id: 0n, start: false, end: false }

export function sameMark(a: SequenceMark, b: SequenceMark): boolean {
  return a === b || (a.id === b.id && a.start === b.start && a.end === b.end)
}

/** `mark` as the parameters of a step's response change it. Throws INVALID_ARG for parameters of the wrong type. */
export function overridden(mark: SequenceMark, parameters: Parameters | undefined): SequenceMark {
  const id = parameters?.get('sequence_id')
  const start = parameters?.get('sequence_start')
  const end = parameters?.get('sequence_end')
  if (id === undefined && start === undefined && end === undefined) return mark
  if (id !== undefined && typeof id !== 'bigint' && typeof id !== 'string') {
    throw wrongType('sequence_id', 'TRITONSERVER_PARAMETER_INT or TRITONSERVER_PARAMETER_STRING')
  }
  const next = {
    id: id === undefined ? mark.id : typeof id === 'string' ? id : BigInt.asUintN(64, id),
    start: flag('sequence_start', start),
    end: flag('sequence_end', end),
  }
  return sameMark(mark, next) ? mark : next
}

/** What an ensemble's response says of the sequence; numbers as Triton writes them, signed. */
export function markParameters(mark: SequenceMark): Parameters {
  return new Map<string, ParameterValue>([
    ['sequence_id', typeof mark.id === 'string' ? mark.id : BigInt.asIntN(64, mark.id)],
    ['sequence_start', mark.start],
    ['sequence_end', mark.end],
  ])
}

function flag(name: string, value: ParameterValue | undefined): boolean {
  if (value === undefined) return false
  if (typeof value !== 'boolean') throw wrongType(name, 'TRITONSERVER_PARAMETER_BOOL')
  return value
}

function wrongType(name: string, types: string): ServerError {
  return new ServerError('INVALID_ARG', `expected parameter '${name}' to be ${types}`)
}
