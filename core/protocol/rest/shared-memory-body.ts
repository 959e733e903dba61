import type { CudaRegionStatus, SystemRegionStatus } from '../../shared-memory/types.ts'
import type { ProtocolLimits } from '../limits.ts'
import { missingMember } from './json-error.ts'
import { JsonReader } from './json-reader.ts'
import { asString, asUnsigned, find, invalid, type JsonValue } from './json-value.ts'

const NO_BYTES = new Uint8Array(0)

/** The body of a system register request. */
export function parseSystemRegion(
  body: Uint8Array,
  limits: ProtocolLimits,
): { readonly key: string; readonly offset: number; readonly byteSize: number } {
  const root = document(body, limits)
  const key = asString(field(root, 'key'))
  const offset = find(root, 'offset')
  return {
    key,
    offset: offset === undefined ? 0 : Number(asUnsigned(offset)),
    byteSize: Number(asUnsigned(field(root, 'byte_size'))),
  }
}

/** The body of a CUDA register request. A handle that is not base64 is empty, which no handle is. */
export function parseCudaRegion(
  body: Uint8Array,
  limits: ProtocolLimits,
): { readonly rawHandle: Uint8Array; readonly byteSize: number; readonly deviceId: number } {
  const root = document(body, limits)
  const handle = asString(member(field(root, 'raw_handle'), 'b64'))
  return {
    byteSize: Number(asUnsigned(member(root, 'byte_size'))),
    deviceId: Number(asUnsigned(member(root, 'device_id'))),
    rawHandle: decodeBase64(handle),
  }
}

/** Members in Triton's order. */
export function systemStatusJson(regions: readonly SystemRegionStatus[]): string {
  return JSON.stringify(
    regions.map(({ name, key, offset, byteSize }) => ({ name, key, offset, byte_size: byteSize })),
  )
}

export function cudaStatusJson(regions: readonly CudaRegionStatus[]): string {
  return JSON.stringify(
    regions.map(({ name, deviceId, byteSize }) => ({
      name,
      device_id: deviceId,
      byte_size: byteSize,
    })),
  )
}

function document(body: Uint8Array, limits: ProtocolLimits): JsonValue | undefined {
  return body.length === 0 ? undefined : new JsonReader(body, limits).document()
}

function field(root: JsonValue | undefined, name: string): JsonValue {
  const value = find(root, name)
  if (value === undefined) throw invalid(`Shared memory register request has no '${name}' field`)
  return value
}

function member(root: JsonValue | undefined, name: string): JsonValue {
  const value = find(root, name)
  if (value === undefined) throw invalid(missingMember(name))
  return value
}

function decodeBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return NO_BYTES
  }
}
