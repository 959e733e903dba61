import { ServerError } from '../errors.ts'
import { RETRY_AFTER_SECS } from './types.ts'

/** The refusals of a gate. Each is made once: a refusal must cost less than what it refuses. */
export interface Refusals {
  readonly inflight: ServerError
  readonly memory: ServerError
  readonly tooLarge: ServerError
  readonly lag: ServerError
  readonly rss: ServerError
}

export function refusals(maxInflight: number, memoryBudget: number): Refusals {
  const later = (message: string): ServerError =>
    new ServerError('UNAVAILABLE', message, { retryAfterSecs: RETRY_AFTER_SECS })
  return {
    inflight: later(`server has its limit of ${maxInflight} requests in flight, try again`),
    memory: later('server memory budget reached, try again'),
    // Trying again would not help.
    tooLarge: new ServerError(
      'UNAVAILABLE',
      `request body is larger than the server's memory budget of ${memoryBudget} bytes, send less at a time`,
    ),
    lag: later('server is overloaded, try again'),
    rss: later('server is out of memory, try again'),
  }
}
