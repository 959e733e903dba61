import type { QueuePolicy } from '../types.ts'
import type { Rule } from './rule.ts'

export const preferredSizesFit: Rule = ({ config, name, fail }) => {
  const sizes = config.dynamic_batching?.preferred_batch_size ?? []
  for (const [i, size] of sizes.entries()) {
    const path = `dynamic_batching.preferred_batch_size[${i}]`
    if (size <= 0) {
      throw fail(path, `dynamic batching preferred size must be positive for ${name}`)
    }
    if (size > (config.max_batch_size ?? 0)) {
      throw fail(path, `dynamic batching preferred size must be <= max batch size for ${name}`)
    }
  }
}

export const priorityLevelsFit: Rule = ({ config, name, fail }) => {
  const batching = config.dynamic_batching
  const levels = batching?.priority_levels ?? 0
  if (batching === undefined || levels === 0) return
  const standard = batching.default_priority_level ?? 0
  if (standard === 0 || standard > levels) {
    throw fail(
      'dynamic_batching.default_priority_level',
      `default priority level must be in range [1, ${levels}] for ${name}`,
    )
  }
  for (const level of Object.keys(batching.priority_queue_policy ?? {})) {
    if (Number(level) === 0 || Number(level) > levels) {
      throw fail(
        'dynamic_batching.priority_queue_policy',
        `priority queue policy must have priority level in range [1, ${levels}] for ${name}`,
      )
    }
  }
}

/** Priorities and delayed timeouts change the order that `preserve_ordering` promises. */
export const orderingIsKept: Rule = ({ config, name, fail }) => {
  const batching = config.dynamic_batching
  if (!batching?.preserve_ordering) return
  if ((batching.priority_levels ?? 0) > 1) {
    throw fail(
      'dynamic_batching.priority_levels',
      `Only one priority level is allowed when 'preserve_ordering' is true for ${name}`,
    )
  }
  const levels = Object.values(batching.priority_queue_policy ?? {})
  if ([batching.default_queue_policy ?? {}, ...levels].some(delays)) {
    throw fail(
      'dynamic_batching.preserve_ordering',
      `Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true for ${name}`,
    )
  }
}

function delays(policy: QueuePolicy): boolean {
  return (policy.default_timeout_microseconds ?? 0) !== 0 && policy.timeout_action === 'DELAY'
}
