/** A count and a sum of nanoseconds: Triton's `StatisticDuration`. */
export class Duration {
  count = 0
  ns = 0

  add(ns: number, count = 1): void {
    this.count += count
    this.ns += ns
  }

  toJSON(): { count: number; ns: number } {
    return { count: this.count, ns: Math.round(this.ns) }
  }
}

/** Upper bounds of the histogram's buckets are 2^k µs for k in this range; what is longer falls into +Inf. */
export const HISTOGRAM_FIRST_POWER = 4
export const HISTOGRAM_LAST_POWER = 26

/** Latencies in power-of-two buckets (16 µs … 67 s): one `clz32` and one add per observation, mergeable by addition. */
export class LatencyHistogram {
  /** Not cumulative; the last one is +Inf. */
  readonly counts: Float64Array = new Float64Array(HISTOGRAM_LAST_POWER - HISTOGRAM_FIRST_POWER + 2)
  count = 0
  sumNs = 0

  add(ns: number): void {
    this.count++
    this.sumNs += ns
    const us = ns / 1000
    const power = us <= 1 ? 0 : us > 0x4000_0000 ? 31 : 32 - Math.clz32(Math.ceil(us) - 1)
    const index = power - HISTOGRAM_FIRST_POWER
    const at = index < 0 ? 0 : index >= this.counts.length ? this.counts.length - 1 : index
    this.counts[at] = (this.counts[at] as number) + 1
  }
}

/** Why a request failed: the `reason` label of `nv_inference_request_failure`. */
export const FAILURE_REASONS = ['REJECTED', 'CANCELED', 'BACKEND', 'OTHER'] as const
export type FailureReason = (typeof FAILURE_REASONS)[number]

/** What executing took, nanoseconds, all in all. */
export interface ComputeTimes {
  computeInputNs: number
  computeInferNs: number
  computeOutputNs: number
}

/** Adds the compute times of one execution to `sum`. */
export function addComputeTimes(sum: ComputeTimes, times: Readonly<ComputeTimes>): void {
  sum.computeInputNs += times.computeInputNs
  sum.computeInferNs += times.computeInferNs
  sum.computeOutputNs += times.computeOutputNs
}

/** Times of one successful request, nanoseconds. */
export interface RequestTimes {
  readonly requestNs: number
  readonly queueNs: number
  readonly computeInputNs: number
  readonly computeInferNs: number
  readonly computeOutputNs: number
}

/** Statistics of executions of one batch size. */
export class BatchSizeStats {
  readonly computeInput: Duration = new Duration()
  readonly computeInfer: Duration = new Duration()
  readonly computeOutput: Duration = new Duration()
}

/**
 * Everything counted about one model version: plain numbers, added to once per request and once per execution, read by
 * the statistics endpoint, the metrics and the trace alike. Mergeable by addition.
 */
export class ModelStats {
  /** Milliseconds since the epoch; 0 = never. */
  lastInferenceMs = 0
  /** Sum of batch sizes of successful requests. */
  inferenceCount = 0
  executionCount = 0
  readonly success: Duration = new Duration()
  readonly fail: Duration = new Duration()
  readonly queue: Duration = new Duration()
  readonly computeInput: Duration = new Duration()
  readonly computeInfer: Duration = new Duration()
  readonly computeOutput: Duration = new Duration()
  readonly cacheHit: Duration = new Duration()
  readonly cacheMiss: Duration = new Duration()
  readonly failures: Record<FailureReason, number> = {
    REJECTED: 0,
    CANCELED: 0,
    BACKEND: 0,
    OTHER: 0,
  }
  /** By executed total batch size; never more entries than max_batch_size. */
  readonly batches: Map<number, BatchSizeStats> = new Map()
  readonly requestHistogram: LatencyHistogram = new LatencyHistogram()
  readonly queueHistogram: LatencyHistogram = new LatencyHistogram()
  readonly computeHistogram: LatencyHistogram = new LatencyHistogram()
  /** How long the load took, seconds (`nv_model_load_duration_secs`). */
  loadSeconds = 0
  /** Sees every successful request's times; for quantile summaries, off by default. */
  observer: ((times: RequestTimes) => void) | null = null

  recordSuccess(batchSize: number, epochMs: number, times: RequestTimes): void {
    this.lastInferenceMs = epochMs
    this.inferenceCount += batchSize
    this.success.add(times.requestNs)
    this.queue.add(times.queueNs)
    this.computeInput.add(times.computeInputNs)
    this.computeInfer.add(times.computeInferNs)
    this.computeOutput.add(times.computeOutputNs)
    this.requestHistogram.add(times.requestNs)
    this.queueHistogram.add(times.queueNs)
    this.computeHistogram.add(times.computeInputNs + times.computeInferNs + times.computeOutputNs)
    this.observer?.(times)
  }

  recordFailure(reason: FailureReason, requestNs: number): void {
    this.fail.add(requestNs)
    this.failures[reason]++
  }

  recordExecution(size: number, inputNs: number, inferNs: number, outputNs: number): void {
    this.executionCount++
    let batch = this.batches.get(size)
    if (batch === undefined) {
      batch = new BatchSizeStats()
      this.batches.set(size, batch)
    }
    batch.computeInput.add(inputNs)
    batch.computeInfer.add(inferNs)
    batch.computeOutput.add(outputNs)
  }
}
