import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import { RETRY_AFTER_SECS } from '../overload/types.ts'
import type { FailureReason, ModelStats } from '../stats.ts'

/** Errors a scheduler answers with instead of running a request. Texts are Triton's where Triton has one. */
export function queueFull(request: InferRequest): ServerError {
  return later(`${request.logPrefix}Exceeds maximum queue size`)
}

export function timeoutExpired(): ServerError {
  return later('Request timeout expired')
}

export function cancelled(): ServerError {
  return new ServerError('CANCELLED', 'request was cancelled')
}

export function schedulerClosed(request: InferRequest): ServerError {
  return later(
    `${request.logPrefix}Server is stopping, scheduler for model has stopped accepting new inference requests`,
  )
}

function later(message: string): ServerError {
  return new ServerError('UNAVAILABLE', message, { retryAfterSecs: RETRY_AFTER_SECS })
}

/** Counts a request that did not run and gives its answer. */
export function refuse(options: {
  readonly request: InferRequest
  readonly error: ServerError
  readonly reason: FailureReason
  readonly stats: ModelStats
  readonly nowNs: number
}): void {
  const { request, stats } = options
  stats.recordFailure(options.reason, options.nowNs - request.startNs)
  request.respond(options.error)
}
