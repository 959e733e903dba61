import type { DynamicBatching, QueuePolicy } from '../config/types.ts'
import type { InferRequest } from '../infer.ts'

/** A `ModelQueuePolicy` with its defaults filled in. */
export interface LevelPolicy {
  /** What happens to a request whose deadline passed: an error, or the end of its level's line. */
  readonly timeoutAction: 'REJECT' | 'DELAY'
  /** Nanoseconds; 0 = none. */
  readonly defaultTimeoutNs: number
  readonly allowTimeoutOverride: boolean
  /** Requests that may wait at this level; 0 = any number. */
  readonly maxQueueSize: number
}

/** Which level a request waits at and under which policy. */
export interface QueuePolicies {
  levelOf(request: InferRequest): number
  policyOf(level: number): LevelPolicy
}

const NANOSECONDS_PER_MICROSECOND = 1000

/**
 * Levels are 1 (first) to `priority_levels`; without levels everything waits at level 0. A request that names no level, or
 * one that does not exist, waits at the default level.
 */
export function createQueuePolicies(batching: DynamicBatching): QueuePolicies {
  const levels = batching.priority_levels ?? 0
  const fallback = levels === 0 ? 0 : (batching.default_priority_level ?? 0)
  const defaultPolicy = resolve(batching.default_queue_policy ?? {})
  const byLevel = new Map<number, LevelPolicy>()
  if (levels > 0) {
    for (const [level, policy] of Object.entries(batching.priority_queue_policy ?? {})) {
      byLevel.set(Number(level), resolve(policy))
    }
  }
  return {
    levelOf: (request) =>
      request.priority > 0 && request.priority <= levels ? request.priority : fallback,
    policyOf: (level) => byLevel.get(level) ?? defaultPolicy,
  }
}

/**
 * When the policy acts on `request`, or 0 = never. A request may only shorten the policy's own timeout: without one there is
 * nothing to shorten.
 */
export function deadlineOf(policy: LevelPolicy, request: InferRequest, nowNs: number): number {
  let timeoutNs = policy.defaultTimeoutNs
  if (timeoutNs === 0) return 0
  if (policy.allowTimeoutOverride && request.timeoutUs > 0) {
    timeoutNs = Math.min(timeoutNs, request.timeoutUs * NANOSECONDS_PER_MICROSECOND)
  }
  return nowNs + timeoutNs
}

function resolve(policy: QueuePolicy): LevelPolicy {
  return {
    timeoutAction: policy.timeout_action ?? 'REJECT',
    defaultTimeoutNs: (policy.default_timeout_microseconds ?? 0) * NANOSECONDS_PER_MICROSECOND,
    allowTimeoutOverride: policy.allow_timeout_override ?? false,
    maxQueueSize: policy.max_queue_size ?? 0,
  }
}
