import type { InferRequestOptions, InferResponse } from '../../infer.ts'
import type { ServedModel, TensorMetadata } from '../../server-types.ts'
import type { RegionLease, RegionRef, SharedMemory } from '../../shared-memory/types.ts'
import type { ProtocolLimits } from '../limits.ts'
import type { MessageMemory } from './message-memory.ts'

/** An output that a request names together with how it wants it. */
export interface GrpcOutput {
  readonly name: string
  /** Number of classes; 0 = the tensor itself. */
  readonly classification: number
  readonly region: RegionRef | null
}

/** A decoded ModelInferRequest. */
export interface GrpcInferRequest {
  readonly modelName: string
  /** '' = what the version policy serves. */
  readonly modelVersion: string
  /** Tensors are views on the message, on copies of typed contents, or on shared memory. */
  readonly options: InferRequestOptions
  /** null = every output as it is. */
  readonly outputs: readonly GrpcOutput[] | null
  /** `triton_enable_empty_final_response`: streams only. */
  readonly emptyFinal: boolean
  /** Set when a tensor lies in shared memory: to be closed when the answer was encoded or will never be. */
  readonly lease: RegionLease | null
}

export interface GrpcDecodeContext {
  readonly limits: ProtocolLimits
  readonly sharedMemory: SharedMemory | null
  /** The principal's id; '' = nobody in particular. */
  readonly owner: string
}

/** A message in pieces that are written one after another: protobuf fields and views on tensors. */
export interface EncodedMessage {
  /** One part = everything was copied, so that the response can be released at once. */
  readonly parts: readonly Uint8Array[]
  /** Sum of the parts, without the headroom. */
  readonly byteLength: number
}

/** What an encoder knows of the answers to requests that differ in nothing but id and raw tensors. */
export interface ResponseMemo {
  template: ResponseTemplate | null
  /** Where its messages are put together; absent = each in memory of its own. */
  readonly memory?: MessageMemory
}

/** Everything of a ModelInferResponse but its id and its raw tensors. */
export interface ResponseTemplate {
  /** The fields in front of the id. */
  readonly head: Uint8Array
  /** The fields between the id and the raw tensors. */
  readonly body: Uint8Array
  /** The outputs it is for. */
  readonly outputs: readonly TensorMetadata[]
}

export interface GrpcEncodeOptions {
  readonly model: ServedModel
  /** The request's id; '' = none. */
  readonly id: string
  readonly outputs: readonly GrpcOutput[] | null
  /** null = an empty final response. */
  readonly response: InferResponse | null
  /** `triton_final_response` for streams; undefined = not a stream. */
  readonly final?: boolean
  readonly lease: RegionLease | null
  readonly limits: ProtocolLimits
  /** Of the request, where it was remembered; absent or null = nothing is known. */
  readonly memo?: ResponseMemo | null
  /** As the request wrote it: what an empty final response repeats. Default ''. */
  readonly requestedVersion?: string
  /** Bytes left free at the start of the first part (the caller's message prefix). */
  readonly headroom: number
}
