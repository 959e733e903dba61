import type { Operation } from '../operations.ts'

/** Which protocol a request came by: Triton's restrictions are set, and worded, apart for each. */
export type Door = 'http' | 'grpc'

/** Who asks, as far as the connection and the request's header tell. */
export interface Caller {
  readonly door: Door
  /** HTTP header or gRPC metadata; `name` is in lower case. */
  header(name: string): string | undefined
  /** Address of the peer; '' = unknown. */
  readonly address: string
  /** Subject or SAN URI of a client certificate that the listener has verified; '' = none. */
  readonly certificate: string
}

/** One resolved operation, before anything of it is done. */
export interface AccessRequest {
  readonly operation: Operation
  /** '' = the operation concerns no single model. */
  readonly model: string
  readonly caller: Caller
}

/** Whom an allowed request counts for. */
export interface Principal {
  /** '' = anybody: no keys are in use. Otherwise the key's id, which also keeps sequences and regions of tenants apart. */
  readonly id: string
  /** Whether the index and the statistics may show `model` to it. */
  sees(model: string): boolean
  /**
   * Whether it may (still) send requests to `model`: asked again for each message of a stream. Returns the refusal.
   */
  recheck(operation: Operation, model: string): AccessRefusal | null
  /** The smallest number, which is the highest priority, that its requests get; absent or 0 = any. */
  readonly priorityFloor?: number
  /**
   * Takes one of the places that its key has for requests in flight, or returns the refusal. Absent = there is no cap.
   * Whoever got null calls {@link leave} once when the request has ended. One call per HTTP request, unary call or stream.
   */
  enter?(): AccessRefusal | null
  leave?(): void
}

/**
 * Why a request is not let in. `restricted`: Triton's restricted APIs (HTTP 403, gRPC UNAVAILABLE). The others are of the
 * key file: `unauthenticated` 401 / UNAUTHENTICATED, `forbidden` 403 / PERMISSION_DENIED, `limited` 429 / RESOURCE_EXHAUSTED.
 */
export interface AccessRefusal {
  readonly kind: 'restricted' | 'unauthenticated' | 'forbidden' | 'limited'
  readonly message: string
  /** `limited` only: when to try again. */
  readonly retryAfterSecs?: number
}

/**
 * The one place that decides whether an operation is allowed. Front ends ask it with the operation they resolved, never
 * with a URL.
 */
export interface Access {
  authorize(request: AccessRequest): Principal | AccessRefusal
}

export function isRefusal(outcome: Principal | AccessRefusal): outcome is AccessRefusal {
  return 'kind' in outcome
}

/** Everybody, where no keys are in use. */
export const ANYBODY: Principal = { id: '', sees: () => true, recheck: () => null }
