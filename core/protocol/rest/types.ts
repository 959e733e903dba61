import type { AccessRefusal } from '../../access/types.ts'
import type { Parameters, RequestTrace } from '../../infer.ts'
import type { Hold } from '../../overload/hold.ts'
import type { RegionRef } from '../../shared-memory/types.ts'
import type { Datatype } from '../../tensor.ts'

/** One input as the JSON header names it; exactly one of its three sources of bytes is used. */
export interface InputSlot {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  /** Bytes this input takes from the binary tail; -1 when they are elsewhere. */
  readonly binarySize: number
  /** Little-endian bytes read from JSON `data`. */
  readonly data: Uint8Array | null
  readonly region?: RegionRef | null
}

export interface RequestedOutput {
  readonly name: string
  readonly binary: boolean
  /** Number of classes; 0 = the tensor itself. */
  readonly classification: number
  /** Where it is written to instead of into the reply. */
  readonly region?: RegionRef | null
}

/** How the answer to a request is written. */
export interface ResponseFormat {
  /** null = every output, each in the default form. */
  readonly outputs: readonly RequestedOutput[] | null
  /** Outputs that `outputs` does not name are binary (`binary_data_output`). */
  readonly binaryDefault: boolean
}

/** Everything the JSON part of an infer request says, independent of the binary tail behind it. */
export interface InferHeader {
  /** '' = none. */
  readonly id: string
  readonly inputs: readonly InputSlot[]
  readonly format: ResponseFormat
  /** Names of the requested outputs without duplicates; null = all. */
  readonly outputNames: readonly string[] | null
  readonly priority: number
  readonly timeoutUs: number
  readonly sequenceId: bigint | string
  readonly sequenceStart: boolean
  readonly sequenceEnd: boolean
  /** Parameters for the backend; null = none. */
  readonly parameters: Parameters | null
  /** Sum of the slots' binary sizes: how long the tail must be. */
  readonly binaryBytes: number
  /** Some tensor lies in shared memory: the request needs a lease. */
  readonly regions: boolean
  /** True when it holds no JSON data, so that whoever has seen the same bytes before may use it again. */
  readonly reusable: boolean
}

/** An infer response as bytes: the JSON first, then the tails one after another. */
export interface EncodedResponse {
  readonly json: Uint8Array
  readonly tails: readonly Uint8Array[]
  /** Whether there are tails: `application/octet-stream` and `Inference-Header-Content-Length` are due. */
  readonly binary: boolean
}

/** A request to any route, free of any runtime's HTTP types. */
export interface RestRequest {
  readonly method: string
  /** As it was sent, undecoded, without the query. */
  readonly path: string
  /** `name` is in lower case. */
  header(name: string): string | undefined
  /**
   * The body as it was sent. Throws ServerError when it passes a limit, or when there is no room in `hold` for bytes that
   * were not declared.
   */
  body(hold?: Hold): Promise<Uint8Array>
  /** The request's place among those in flight; set by the handler. */
  readonly hold?: Hold
  /** What the request's way is told to; set by the handler. Absent = it is not traced. */
  readonly trace?: RequestTrace
  /** Aborted when the client leaves. */
  readonly signal?: AbortSignal
  /** Address of the peer; absent = unknown. */
  readonly address?: string
  /** Subject or SAN URI of a verified client certificate. */
  readonly certificate?: string
  /** Name, value, name, value, … of the header as it was sent; absent = only {@link header} is to be had. */
  fields?(): readonly string[]
  /** What the listener was told when it asked for this request already; it is not asked for again. */
  readonly refusal?: AccessRefusal
}

/**
 * An answer, free of any runtime's HTTP types. `body` is written part after part; with `stream` it is empty and the stream
 * is the body: it is read as fast as the client takes it and cancelled when the client leaves.
 */
export interface RestResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: readonly Uint8Array[]
  readonly stream?: ReadableStream<Uint8Array>
  /** To be called once when `body` was written: its parts may be views on memory that is used again. */
  readonly release?: () => void
}
