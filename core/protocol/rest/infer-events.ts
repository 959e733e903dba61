import type { InferRequestOptions } from '../../infer.ts'
import type { ServedModel } from '../../server-types.ts'
import type { RegionLease } from '../../shared-memory/types.ts'
import type { ProtocolLimits } from '../limits.ts'
import { eventReply } from './event-reply.ts'
import { encodeInferResponse } from './infer-response.ts'
import { invalid } from './json-value.ts'
import type { ResponseFormat, RestResponse } from './types.ts'

/** Named in the server's metadata where {@link inferEvents} is on. Not an extension that Triton has. */
export const INFER_STREAM_EXTENSION = 'nereid_infer_stream'

/** Whether an `Accept` header asks for server-sent events. */
export function acceptsEvents(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes('text/event-stream') ?? false
}

/**
 * `POST …/infer` with `Accept: text/event-stream`: every response of the request as an event that holds the JSON of an infer
 * reply. For decoupled models and for others. Tensors are JSON or in shared memory, never binary. The lease is closed with the
 * last answer.
 */
export function inferEvents(options: {
  readonly model: ServedModel
  readonly options: InferRequestOptions
  readonly format: ResponseFormat
  readonly lease: RegionLease | null
  readonly limits: ProtocolLimits
  readonly signal: AbortSignal | undefined
}): Promise<RestResponse> {
  const { model, lease, limits, signal } = options
  if (options.format.outputs?.some((output) => output.binary) === true) {
    throw invalid('outputs of an event stream can not be binary')
  }
  const id = options.options.id ?? ''
  const format = { ...options.format, binaryDefault: false }
  return eventReply({
    model,
    request: options.options,
    signal,
    encode: (response) => encodeInferResponse({ model, id, format, response, limits, lease }).json,
    onEnd: () => lease?.close(),
  })
}
