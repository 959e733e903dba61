import { ServerError } from '../../errors.ts'
import type { Parameters, ParameterValue } from '../../infer.ts'
import type { ProtocolLimits } from '../limits.ts'
import { type MessageParameter, type MessageParameters, Uint64Parameter } from './infer-message.ts'

/** `parameters` of a ModelInferRequest: what the protocol defines, and what goes to the backend as it is. */
export interface RequestParameters {
  readonly priority: number
  readonly timeoutUs: number
  readonly sequenceId: bigint | string
  readonly sequenceStart: boolean
  readonly sequenceEnd: boolean
  readonly emptyFinal: boolean
  readonly custom: Parameters | null
}

export const NO_PARAMETERS: RequestParameters = {
  priority: 0,
  timeoutUs: 0,
  sequenceId: 0n,
  sequenceStart: false,
  sequenceEnd: false,
  emptyFinal: false,
  custom: null,
}

const EMPTY_FINAL = 'triton_enable_empty_final_response'
const RESERVED = `parameter keys starting with 'triton_' are reserved for Triton usage. Only the following keys starting with 'triton_' are allowed: ${EMPTY_FINAL}`

/** Throws INVALID_ARG or UNSUPPORTED with Triton's texts. */
export function readParameters(
  parameters: MessageParameters,
  limits: ProtocolLimits,
): RequestParameters {
  const known: { -readonly [K in keyof RequestParameters]: RequestParameters[K] } = {
    ...NO_PARAMETERS,
  }
  let custom: Map<string, ParameterValue> | null = null
  for (const [key, value] of parameters) {
    switch (key) {
      case 'sequence_id':
        known.sequenceId = sequenceId(value, limits)
        break
      case 'sequence_start':
        known.sequenceStart = flag(key, value)
        break
      case 'sequence_end':
        known.sequenceEnd = flag(key, value)
        break
      case 'priority':
        known.priority = priority(value)
        break
      case 'timeout':
        if (typeof value !== 'bigint') throw invalidType(key, 'int64_param.')
        // Triton's timeouts are unsigned: a negative one is far away.
        known.timeoutUs = Number(BigInt.asUintN(64, value))
        break
      case EMPTY_FINAL:
        known.emptyFinal = flag(key, value)
        break
      default:
        if (key.startsWith('triton_')) throw invalid(RESERVED)
        if (value === null || value instanceof Uint64Parameter) {
          throw invalidType(key, 'int64_param, bool_param, or string_param.')
        }
        custom ??= new Map()
        custom.set(key, value)
    }
  }
  known.custom = custom
  return known
}

function flag(key: string, value: MessageParameter): boolean {
  if (typeof value === 'boolean') return value
  throw invalidType(key, 'bool_param.')
}

function priority(value: MessageParameter): number {
  if (value instanceof Uint64Parameter) return Number(value.value)
  if (typeof value !== 'bigint') throw invalidType('priority', 'int64_param or uint64_param.')
  if (value < 0n) throw invalid("invalid value for 'priority', expected value >= 0.")
  return Number(value)
}

function sequenceId(value: MessageParameter, limits: ProtocolLimits): bigint | string {
  if (typeof value === 'bigint') return BigInt.asUintN(64, value)
  if (typeof value !== 'string') throw invalidType('sequence_id', 'int64_param or string_param.')
  if (value.length > limits.sequenceIdLength) {
    throw new ServerError(
      'UNSUPPORTED',
      `string correlation ID cannot be longer than ${limits.sequenceIdLength} characters`,
    )
  }
  return value
}

function invalidType(key: string, expected: string): ServerError {
  return invalid(`invalid value type for '${key}' parameter, expected ${expected}`)
}

function invalid(message: string): ServerError {
  return new ServerError('INVALID_ARG', message)
}
