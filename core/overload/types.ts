import type { ServerError } from '../errors.ts'

/**
 * What the process can take at a time, shared by all its doors. A front end enters with a request before its body is
 * buffered and leaves exactly once, when the answer was handed to the transport or nobody wants it any more.
 */
export interface Gate {
  /**
   * One request that will keep `bytes` of body in memory (0 when that is not known yet). Returns UNAVAILABLE with the
   * text for the client instead of letting it in.
   */
  enter(bytes: number): ServerError | null
  /** More of a body whose length was not declared. On refusal nothing was added. */
  grow(bytes: number): ServerError | null
  /** Gives back the place and all `bytes` that were taken with it. */
  leave(bytes: number): void
}

/** What a client is told to wait after a refusal, seconds (`Retry-After`). */
export const RETRY_AFTER_SECS = 1
