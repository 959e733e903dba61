import type { AccessRefusal } from '../../core/access/types.ts'
import { ServerError } from '../../core/errors.ts'
import { ProtoError } from '../../core/protocol/grpc/proto-error.ts'
import { grpcCode } from '../../core/protocol/grpc/status.ts'
import { type CallStatus, Status } from './types.ts'

export const OK: CallStatus = { code: Status.OK, message: '' }

export const DEADLINE_EXCEEDED: CallStatus = {
  code: Status.DEADLINE_EXCEEDED,
  message: 'Deadline Exceeded',
}

/** Triton's text for inference that is asked for after the shutdown began. */
export const SHUTTING_DOWN: CallStatus = {
  code: Status.UNAVAILABLE,
  message: 'GRPC server is shutting down and has stopped accepting new requests.',
}

/** A method of one message that was sent none or several. */
export const NOT_ONE_MESSAGE: CallStatus = {
  code: Status.UNIMPLEMENTED,
  message: 'the method takes exactly one message',
}

/** What Triton says of bytes that are no message; what is wrong with them is nobody's business. */
export const UNREADABLE: CallStatus = {
  code: Status.INTERNAL,
  message: 'Unable to parse request',
}

/** What the client is told of `error`. Anything unforeseen is our own bug, and its message is not for clients. */
export function statusOf(error: unknown): CallStatus {
  if (error instanceof ProtoError) return UNREADABLE
  const known = ServerError.from(error)
  const status = { code: grpcCode(known.code), message: known.message }
  const { retryAfterSecs } = known
  return retryAfterSecs === 0 ? status : { ...status, retryAfterMs: retryAfterSecs * 1000 }
}

const REFUSALS = {
  restricted: Status.UNAVAILABLE,
  unauthenticated: Status.UNAUTHENTICATED,
  forbidden: Status.PERMISSION_DENIED,
  limited: Status.RESOURCE_EXHAUSTED,
} as const satisfies Record<AccessRefusal['kind'], number>

export function refusalStatus(refusal: AccessRefusal): CallStatus {
  const status = { code: REFUSALS[refusal.kind], message: refusal.message }
  const { retryAfterSecs } = refusal
  return retryAfterSecs === undefined ? status : { ...status, retryAfterMs: retryAfterSecs * 1000 }
}
