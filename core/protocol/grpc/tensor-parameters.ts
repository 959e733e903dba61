import { ServerError } from '../../errors.ts'
import type { RegionRef } from '../../shared-memory/types.ts'
import type { MessageParameters } from './infer-message.ts'

const REGION = 'shared_memory_region'
const OFFSET = 'shared_memory_offset'
const BYTE_SIZE = 'shared_memory_byte_size'

/** Where `tensor` lies; null = not in shared memory. Throws INVALID_ARG with Triton's texts. */
export function regionOf(tensor: string, parameters: MessageParameters | null): RegionRef | null {
  if (parameters === null) return null
  const region = parameters.get(REGION)
  if (region !== undefined && typeof region !== 'string') {
    throw invalid(
      `invalid value type for '${REGION}' parameter for tensor '${tensor}', expected string_param.`,
    )
  }
  const offset = integer(tensor, OFFSET, parameters, region !== undefined)
  const byteSize = integer(tensor, BYTE_SIZE, parameters, region !== undefined)
  if (region === undefined) return null
  if (byteSize === undefined) {
    throw invalid(
      `'${BYTE_SIZE}' must be specified along with '${REGION}' parameter for tensor '${tensor}'`,
    )
  }
  // Sizes are unsigned to Triton: a negative one is too large for any region.
  return { region, offset: Number(offset ?? 0n), byteSize: Number(BigInt.asUintN(64, byteSize)) }
}

/** Number of classes an output is wanted as; 0 = none. Throws INVALID_ARG with Triton's texts. */
export function classificationOf(parameters: MessageParameters | null): number {
  const count = parameters?.get('classification')
  if (count === undefined) return 0
  if (typeof count !== 'bigint') {
    throw invalid("invalid value type for 'classification' parameter, expected int64_param")
  }
  if (count <= 0n) {
    throw invalid("invalid value for 'classification' parameter, expected >= 0")
  }
  // Triton keeps 32 bits of it.
  return Number(BigInt.asUintN(32, count))
}

function integer(
  tensor: string,
  key: string,
  parameters: MessageParameters,
  hasRegion: boolean,
): bigint | undefined {
  const value = parameters.get(key)
  if (value === undefined) return undefined
  if (!hasRegion) {
    throw invalid(
      `'${key}' can not be specified without '${REGION}' parameter for tensor '${tensor}'`,
    )
  }
  if (typeof value !== 'bigint') {
    throw invalid(
      `invalid value type for '${key}' parameter for tensor '${tensor}', expected int64_param.`,
    )
  }
  return value
}

function invalid(message: string): ServerError {
  return new ServerError('INVALID_ARG', message)
}
