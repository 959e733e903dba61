import { ServerError } from '../../errors.ts'
import { asString, asUnsigned, find, type JsonValue } from './json-value.ts'

/**
 * A tensor in shared memory. There are no regions to find, so each is unknown; what the request says of it is checked as
 * if there were.
 */
export function refuseSharedMemory(
  region: JsonValue,
  parameters: JsonValue | undefined,
): ServerError {
  const name = asString(region, "Unable to parse 'shared_memory_region'")
  for (const key of ['shared_memory_offset', 'shared_memory_byte_size']) {
    const value = find(parameters, key)
    if (value !== undefined) asUnsigned(value, `Unable to parse '${key}'`)
  }
  return new ServerError('NOT_FOUND', `Unable to find shared memory region: '${name}'`)
}
