import { ServerError } from '../../errors.ts'
import type { Parameters, ParameterValue } from '../../infer.ts'
import type { ProtocolLimits } from '../limits.ts'
import {
  asBoolean,
  asString,
  asUnsigned,
  invalid,
  JsonDouble,
  type JsonValue,
} from './json-value.ts'

/** `parameters` of an infer request: what the protocol defines, and what goes to the backend as it is. */
export interface RequestParameters {
  readonly binaryDefault: boolean
  readonly priority: number
  readonly timeoutUs: number
  readonly sequenceId: bigint | string
  readonly sequenceStart: boolean
  readonly sequenceEnd: boolean
  readonly custom: Parameters | null
}

export const NO_PARAMETERS: RequestParameters = {
  binaryDefault: false,
  priority: 0,
  timeoutUs: 0,
  sequenceId: 0n,
  sequenceStart: false,
  sequenceEnd: false,
  custom: null,
}

const RESERVED =
  "parameter keys starting with 'triton_' are reserved for Triton usage and should not be specified."
const MAX_INT64 = 0x7fff_ffff_ffff_ffffn

export function parseParameters(value: JsonValue, limits: ProtocolLimits): RequestParameters {
  if (!(value instanceof Map)) {
    throw invalid('failed to get request params.: attempt to get members for non-object')
  }
  if (value.size > limits.parameters) {
    throw invalid(`request has ${value.size} parameters, the limit is ${limits.parameters}`)
  }
  const known: { -readonly [K in keyof RequestParameters]: RequestParameters[K] } = {
    ...NO_PARAMETERS,
  }
  let custom: Map<string, ParameterValue> | null = null
  for (const [key, member] of value) {
    const context = `Unable to parse '${key}'`
    switch (key) {
      case 'sequence_id':
        known.sequenceId = parseSequenceId(member, limits)
        break
      case 'sequence_start':
        known.sequenceStart = asBoolean(member, context)
        break
      case 'sequence_end':
        known.sequenceEnd = asBoolean(member, context)
        break
      case 'priority':
        known.priority = Number(asUnsigned(member, context))
        break
      case 'timeout':
        known.timeoutUs = Number(asUnsigned(member, context))
        break
      case 'binary_data_output':
        known.binaryDefault = asBoolean(member, context)
        break
      default:
        if (key.startsWith('triton_')) throw invalid(RESERVED)
        custom ??= new Map()
        custom.set(key, parseCustom(key, member, limits))
    }
  }
  known.custom = custom
  return known
}

export function parseId(value: JsonValue | undefined, limits: ProtocolLimits): string {
  if (value === undefined) return ''
  const id = asString(value, "Unable to parse 'id'")
  const bytes = utf8Length(id, limits.idBytes)
  if (bytes > limits.idBytes) {
    throw invalid(`request id has ${bytes} bytes, the limit is ${limits.idBytes}`)
  }
  return id
}

function parseSequenceId(value: JsonValue, limits: ProtocolLimits): bigint | string {
  if ((typeof value === 'number' || typeof value === 'bigint') && value >= 0) return BigInt(value)
  const id = asString(value, "Unable to parse 'sequence_id'")
  if (id.length > limits.sequenceIdLength) {
    throw new ServerError(
      'UNSUPPORTED',
      `string correlation ID cannot be longer than ${limits.sequenceIdLength} characters`,
    )
  }
  return id
}

export function parseCustom(key: string, value: JsonValue, limits: ProtocolLimits): ParameterValue {
  if (typeof value === 'string') {
    const bytes = utf8Length(value, limits.stringParameterBytes)
    if (bytes > limits.stringParameterBytes) {
      throw invalid(
        `parameter '${key}' has ${bytes} bytes, the limit is ${limits.stringParameterBytes}`,
      )
    }
    return value
  }
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') return BigInt(value)
  // Beyond a signed 64-bit integer, Triton passes a double on.
  if (typeof value === 'bigint') return value > MAX_INT64 ? Number(value) : value
  if (value instanceof JsonDouble) return value.value
  throw invalid(
    `parameter '${key}' has invalid type. It should be either 'int', 'bool', or 'string'.`,
  )
}

/** Bytes of `text` in UTF-8; the text is only encoded when its length leaves the answer to `limit` open. */
function utf8Length(text: string, limit: number): number {
  if (text.length * 3 <= limit || text.length > limit) return text.length
  return new TextEncoder().encode(text).length
}
