import type { RegionRef } from '../../shared-memory/types.ts'
import { asString, asUnsigned, find, type JsonValue } from './json-value.ts'

/** Where a tensor lies in shared memory, by the parameters of the input or output; `region` is one of them. */
export function parseRegionRef(region: JsonValue, parameters: JsonValue | undefined): RegionRef {
  return {
    region: asString(region, "Unable to parse 'shared_memory_region'"),
    offset: size(parameters, 'shared_memory_offset'),
    byteSize: size(parameters, 'shared_memory_byte_size'),
  }
}

/** Beyond 2^53 not exact any more, and larger than any region can be. */
function size(parameters: JsonValue | undefined, name: string): number {
  const value = find(parameters, name)
  return value === undefined ? 0 : Number(asUnsigned(value, `Unable to parse '${name}'`))
}
