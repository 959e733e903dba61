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

/** The gates of a process. All of them count the bytes of bodies; what is entered by one is left by the same one. */
export interface Gates {
  /** Shed first. */
  readonly inference: Gate
  /** Metadata, statistics, repository, settings: refused only when the process is about to run out of memory. */
  readonly control: Gate
  /** Health: let in always. */
  readonly probes: Gate
}

/** Why requests are refused; a label of `nereid_shed_requests`. */
export type ShedReason = 'inflight' | 'memory' | 'lag' | 'rss'

/** What a client is told to wait after a refusal, seconds (`Retry-After`). */
export const RETRY_AFTER_SECS = 1
