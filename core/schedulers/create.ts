import type {
  Batch,
  BatchResult,
  DecoupledAnswers,
  ExecutionMarks,
  Instance,
} from '../backend/types.ts'
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

/**
 * Runs one batch on `instance` past every queue and every count: warm-up, self-tests. Rejects with what the instance says. With
 * `decoupled` it also waits for every request's final answer.
 */
export function executeUncounted(
  instance: Instance,
  requests: readonly InferRequest[],
  decoupled = false,
): Promise<BatchResult> {
  const size = requests.reduce((rows, request) => rows + request.batchSize, 0)
  const batch: Batch = { requests, size }
  const marks: ExecutionMarks = { inputEndNs: 0, outputStartNs: 0 }
  if (decoupled) return executeDecoupled(instance, batch, marks)
  return new Promise((resolve, reject) => {
    instance.execute(batch, marks, (result) => {
      if (result instanceof ServerError) reject(result)
      else resolve(result)
    })
  })
}

function executeDecoupled(
  instance: Instance,
  batch: Batch,
  marks: ExecutionMarks,
): Promise<BatchResult> {
  return new Promise((resolve, reject) => {
    const ended = new Set<number>()
    let result: BatchResult | null = null
    const check = (): void => {
      // Outputs of the batch itself are the only answer of every request in it.
      if (result === null) return
      if (result.outputs.length > 0 || ended.size === batch.requests.length) resolve(result)
    }
    const answers: DecoupledAnswers = {
      send(index, answer, final) {
        if (answer instanceof ServerError) reject(answer)
        else answer?.release?.()
        if (!final) return
        ended.add(index)
        check()
      },
    }
    const done = (answer: BatchResult | ServerError): void => {
      if (answer instanceof ServerError) reject(answer)
      else {
        result = answer
        check()
      }
    }
    instance.execute(batch, marks, done, answers)
  })
}
