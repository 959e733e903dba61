import type { ModelConfig } from '../config/types.ts'
import type { InferRequest } from '../infer.ts'
import { type BatchRule, createBatchRule } from './batch-rule.ts'
import type { PriorityQueue } from './priority-queue.ts'

/** What to do with the head of the queue. One record per former, overwritten by the next decision. */
export interface BatchDecision {
  /** Requests to run now; 0 = wait. */
  count: number
  /** Rows of those requests. */
  rows: number
  /** `Clock.now()` when the window closes; 0 = there is nothing to wait for. */
  closesNs: number
  /** Until then, fewer waiting rows than this can change nothing; 0 = any arrival may. */
  wakeRows: number
}

export interface BatchFormer {
  /** `flush` closes the window now: whatever waits may run. */
  decide(queue: PriorityQueue, nowNs: number, flush: boolean): BatchDecision
}

/**
 * The dynamic batcher's rule. A preferred size that is reached runs at once; a batch that cannot grow (full, or the next
 * request does not fit) runs as it is; anything smaller waits until its oldest request has waited
 * `max_queue_delay_microseconds`, and runs at once where that is 0. Without preferred sizes the largest batch is preferred.
 */
export function createBatchFormer(config: ModelConfig): BatchFormer {
  const batching = config.dynamic_batching ?? {}
  const maxRows = Math.max(1, config.max_batch_size ?? 0)
  const delayNs = (batching.max_queue_delay_microseconds ?? 0) * 1000
  const preferred = [...(batching.preferred_batch_size ?? [])].sort((a, b) => a - b)
  if (preferred.length === 0) preferred.push(maxRows)
  const maxPreferred = preferred.at(-1) ?? maxRows
  const rule: BatchRule | null = createBatchRule(config)

  const decision: BatchDecision = { count: 0, rows: 0, closesNs: 0, wakeRows: 0 }
  let first: InferRequest | null = null
  let count = 0
  let rows = 0
  let bestCount = 0
  let bestRows = 0
  let oldestNs = 0
  let closed = false

  const visit = (request: InferRequest): boolean => {
    const size = request.batchSize
    if (first === null) {
      first = request
      oldestNs = request.queuedNs
    } else {
      if (rows + size > maxPreferred && bestCount === 0) {
        bestCount = count
        bestRows = rows
      }
      if (rows + size > maxRows || (rule !== null && !rule(first, request))) {
        closed = true
        return false
      }
      if (request.queuedNs < oldestNs) oldestNs = request.queuedNs
    }
    count++
    rows += size
    if (preferred.includes(rows)) {
      bestCount = count
      bestRows = rows
    }
    // A full batch can take nobody: the next request would only say so.
    return rows < maxRows
  }
  const run = (some: number, ofRows: number): BatchDecision => {
    decision.count = some
    decision.rows = ofRows
    decision.closesNs = 0
    decision.wakeRows = 0
    return decision
  }

  return {
    decide(queue, nowNs, flush) {
      first = null
      count = rows = bestCount = bestRows = oldestNs = 0
      closed = false
      queue.scan(visit)
      first = null
      const late = flush || (delayNs > 0 && nowNs - oldestNs >= delayNs)
      if (bestCount > 0 && !late) return run(bestCount, bestRows)
      if (late || delayNs === 0 || closed || rows >= maxPreferred) return run(count, rows)
      run(0, 0)
      if (count === 0) return decision
      decision.closesNs = oldestNs + delayNs
      decision.wakeRows = rule === null ? (preferred.find((size) => size > rows) ?? 0) : 0
      return decision
    },
  }
}
