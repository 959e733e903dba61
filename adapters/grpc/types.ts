import type { Caller, Principal } from '../../core/access/types.ts'
import type { Operation } from '../../core/operations.ts'

/** gRPC status codes (google.rpc.Code). */
export const Status = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const

/** How a call ends. `message` is plain text; it is percent-encoded on the wire. */
export interface CallStatus {
  readonly code: number
  readonly message: string
  /** When the client may try again (`grpc-retry-pushback-ms`); absent = nothing is said about it. */
  readonly retryAfterMs?: number
}

/** What a method knows of the call it serves. */
export interface CallContext {
  readonly principal: Principal
  readonly caller: Caller
  /** Aborted when the client cancels, its deadline passes or its connection breaks. */
  readonly signal: AbortSignal
}

/** One message in, one message out: everything but inference. */
export interface UnaryMethod<I = unknown, O = unknown> {
  /** `/package.Service/Method` */
  readonly path: string
  readonly operation: Operation
  /** Reads a whole message; whatever it throws becomes INTERNAL, as an unreadable message is for gRPC's own servers. */
  decode(message: Uint8Array): I
  /** The model that `input` concerns, for the authorizer; absent = none. */
  model?(input: I): string
  /** Throws ServerError (or rejects with one) for what a client may be told. */
  handle(input: I, context: CallContext): O | Promise<O>
  encode(output: O): Uint8Array
}

/** What a method of many messages can do with its call. */
export interface StreamCall extends CallContext {
  /** Metadata; `name` in lower case. */
  metadata(name: string): string | undefined
  /** Sends one message; `parts` must not change until `release` is called. False: wait for {@link StreamMessages.writable}. */
  send(parts: readonly Uint8Array[], byteLength: number, release?: () => void): boolean
  /** Stops taking messages from the client (flow control) until {@link resume}. */
  pause(): void
  resume(): void
  /** Ends the call. Idempotent. */
  finish(status: CallStatus): void
}

/** What a method of many messages hears from its client. */
export interface StreamMessages {
  /** One whole message, decompressed; the bytes may be kept. */
  message(bytes: Uint8Array): void
  /** The client sends no more; the method calls `finish` when its answers are out. */
  end(): void
  /** The client, its deadline or its connection ended the call: nothing can be sent any more. Called at most once. */
  cancelled(): void
  writable?(): void
}

/** Many messages in, many out. */
export interface StreamMethod {
  readonly path: string
  readonly operation: Operation
  open(call: StreamCall): StreamMessages
}
