import type { InferRequestOptions } from '../../infer.ts'
import type { ServedModel } from '../../server-types.ts'
import { NO_SHARED_MEMORY } from '../../shared-memory/no-shared-memory.ts'
import type { RegionLease, SharedMemory } from '../../shared-memory/types.ts'
import type { Tensor } from '../../tensor.ts'
import type { ProtocolLimits } from '../limits.ts'
import { bindInputs } from './bind-inputs.ts'
import { checkHeaderLength } from './header-length.ts'
import { parseInferHeader } from './infer-header.ts'
import { invalid } from './json-value.ts'
import { rawInput } from './raw-request.ts'
import type { InferHeader, ResponseFormat } from './types.ts'

/** What a decoded infer request asks of the server, and how its answer is written. */
export interface DecodedRequest {
  readonly options: InferRequestOptions
  readonly format: ResponseFormat
  /** Where a tensor lies in shared memory; to be closed when the request has ended. */
  readonly lease: RegionLease | null
}

/** Whose regions a request may name. */
export interface RequestRegions {
  readonly sharedMemory?: SharedMemory | undefined
  /** The principal's id. */
  readonly owner: string
}

const NO_REGIONS: RequestRegions = { owner: '' }

const RAW_FORMAT: ResponseFormat = { outputs: null, binaryDefault: true }

/**
 * Decodes a whole infer request. `headerLength` is the length of its JSON part (undefined = all of it); 0 makes it a raw
 * request, as an empty body is.
 */
export function decodeInferRequest(
  body: Uint8Array,
  headerLength: number | undefined,
  model: ServedModel,
  limits: ProtocolLimits,
  regions: RequestRegions = NO_REGIONS,
): DecodedRequest {
  const length = headerLength ?? body.length
  checkHeaderLength(length, body.length)
  if (length === 0) return decodeRaw(body, model, limits)
  checkJsonSize(length, body.length, limits)
  const header = parseInferHeader(length === body.length ? body : body.subarray(0, length), limits)
  const lease = header.regions ? leaseOf(regions) : null
  try {
    const inputs = bindInputs(header, body.subarray(length), model.name, lease)
    return { options: requestOptions(header, inputs), format: header.format, lease }
  } catch (error) {
    lease?.close()
    throw error
  }
}

export function leaseOf({ sharedMemory = NO_SHARED_MEMORY, owner }: RequestRegions): RegionLease {
  return sharedMemory.lease(owner)
}

/** What the JSON part may measure: less when binary tensors follow, because then it holds no data. */
export function checkJsonSize(length: number, bodyLength: number, limits: ProtocolLimits): void {
  const limit = length < bodyLength ? limits.jsonHeaderBytes : limits.bodyBytes
  if (length <= limit) return
  const flag = length < bodyLength ? '--http-max-json-header' : '--http-max-input-size'
  throw invalid(
    `request JSON size of ${length} bytes exceeds the maximum allowed input size of ${limit} bytes. Use ${flag} to increase the limit.`,
  )
}

export function requestOptions(
  header: InferHeader,
  inputs: readonly Tensor[],
): InferRequestOptions {
  return {
    id: header.id,
    inputs,
    outputs: header.outputNames,
    parameters: header.parameters,
    priority: header.priority,
    timeoutUs: header.timeoutUs,
    sequenceId: header.sequenceId,
    sequenceStart: header.sequenceStart,
    sequenceEnd: header.sequenceEnd,
  }
}

function decodeRaw(body: Uint8Array, model: ServedModel, limits: ProtocolLimits): DecodedRequest {
  if (body.length > limits.bodyBytes) {
    throw invalid(
      `Raw input has a byte_size (${body.length} bytes) that exceeds the maximum allowed value of ${limits.bodyBytes} bytes. Use --http-max-input-size to increase the limit.`,
    )
  }
  return { options: { inputs: [rawInput(body, model)] }, format: RAW_FORMAT, lease: null }
}
