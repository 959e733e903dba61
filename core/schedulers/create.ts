import type { Batch, BatchResult, ExecutionMarks, Instance } from '../backend/types.ts'
import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import { createBatchWindow } from './batch-window.ts'
import { createDirectScheduler } from './direct.ts'
import { createSchedulerParts, type SchedulerOptions } from './parts.ts'
import { createSequenceScheduler } from './sequence-scheduler.ts'
import type { Scheduler } from './types.ts'

/** Picks the scheduler a model's config asks for. An ensemble has its own, which runs no instances. */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const { config } = options
  if (config.sequence_batching !== undefined) return createSequenceScheduler(options)
  const parts = createSchedulerParts(options)
  return config.dynamic_batching === undefined
    ? createDirectScheduler(parts)
    : createBatchWindow(parts)
}

/** Runs one batch on `instance` past every queue and every count: warm-up, self-tests. Rejects with what the instance says. */
export function executeUncounted(
  instance: Instance,
  requests: readonly InferRequest[],
): Promise<BatchResult> {
  const size = requests.reduce((rows, request) => rows + request.batchSize, 0)
  const batch: Batch = { requests, size }
  const marks: ExecutionMarks = { inputEndNs: 0, outputStartNs: 0 }
  return new Promise((resolve, reject) => {
    instance.execute(batch, marks, (result) => {
      if (result instanceof ServerError) reject(result)
      else resolve(result)
    })
  })
}
