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

/** Triton's buckets of the time to the first response, milliseconds; a model's `model_metrics` may bring others. */
export const FIRST_RESPONSE_BUCKETS_MS: readonly number[] = [100, 500, 2000, 5000]

/** Times to the first response in whole milliseconds, as Triton observes them. */
export class FirstResponseHistogram {
  /** Upper bounds, rising; +Inf comes after the last. */
  readonly boundsMs: readonly number[]
  /** Not cumulative; the last one is +Inf. */
  readonly counts: Float64Array
  count = 0
  sumMs = 0

  constructor(boundsMs: readonly number[] = FIRST_RESPONSE_BUCKETS_MS) {
    this.boundsMs = boundsMs
    this.counts = new Float64Array(boundsMs.length + 1)
  }

  add(ns: number): void {
    const ms = Math.floor(ns / 1e6)
    this.count++
    this.sumMs += ms
    let at = 0
    while (at < this.boundsMs.length && ms > (this.boundsMs[at] as number)) at++
    this.counts[at] = (this.counts[at] as number) + 1
  }
}

/** Responses whose statistics are kept apart, by their place in their streams; those beyond share the last entry. */
export const MAX_RESPONSE_STATS = 256

/** What became of the responses that came at one place of their requests' streams. */
export class ResponseStats {
  /** From the response before, or from the start of the execution. */
  readonly computeInfer: Duration = new Duration()
  /** Handing it on. */
  readonly computeOutput: Duration = new Duration()
  readonly success: Duration = new Duration()
  readonly fail: Duration = new Duration()
  /** The last word of a stream that is no response. */
  readonly emptyResponse: Duration = new Duration()
  readonly cancel: Duration = new Duration()
}

export type ResponseOutcome = 'success' | 'fail' | 'emptyResponse' | 'cancel'

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
  /** Whether the model's responses are kept: figures of a cache are only shown of those. */
  cached = false
  /** Responses that were too large to be kept. */
  cacheSkipped = 0
  readonly failures: Record<FailureReason, number> = {
    REJECTED: 0,
    CANCELED: 0,
    BACKEND: 0,
    OTHER: 0,
  }
  /** By executed total batch size; never more entries than max_batch_size. */
  readonly batches: Map<number, BatchSizeStats> = new Map()
  /** By the response's place in its stream; decoupled models only, never more than {@link MAX_RESPONSE_STATS}. */
  readonly responses: ResponseStats[] = []
  /** Decoupled models only; null = not kept. */
  firstResponse: FirstResponseHistogram | null = null
  /** By GPU that instances run on: what ran there, which is counted here as well. */
  readonly devices: Map<number, ModelStats> = new Map()
  readonly requestHistogram: LatencyHistogram = new LatencyHistogram()
  readonly queueHistogram: LatencyHistogram = new LatencyHistogram()
  readonly computeHistogram: LatencyHistogram = new LatencyHistogram()
  /** How long the load took, seconds (`nv_model_load_duration_secs`). */
  loadSeconds = 0
  /** Sees every successful request's times; for quantile summaries, off by default. */
  observer: ((times: RequestTimes) => void) | null = null
  /** The same of look-ups in the cache: how long one that found something took, or one that did not with the insertion. */
  cacheObserver: ((kind: 'hit' | 'miss', ns: number, queueNs: number) => void) | null = null

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

  /** Counts a request that the cache answered: a success, but no inference. Nanoseconds. */
  recordCacheHit(requestNs: number, queueNs: number, lookupNs: number): void {
    this.success.add(requestNs)
    this.queue.add(queueNs)
    this.cacheHit.add(lookupNs)
    this.requestHistogram.add(requestNs)
    this.queueHistogram.add(queueNs)
    this.cacheObserver?.('hit', lookupNs, queueNs)
  }

  /** Counts looking up in vain and keeping the answer, which its request waited for as well. */
  recordCacheMiss(ns: number): void {
    this.success.ns += ns
    this.cacheMiss.add(ns)
    this.cacheObserver?.('miss', ns, 0)
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

  /** Counts the response at place `index` of its stream; counted as Triton does: what was cancelled was not computed. */
  recordResponse(index: number, outcome: ResponseOutcome, inferNs: number, outputNs: number): void {
    const at = Math.min(index, MAX_RESPONSE_STATS - 1)
    while (this.responses.length <= at) this.responses.push(new ResponseStats())
    const response = this.responses[at] as ResponseStats
    response[outcome].add(inferNs + outputNs)
    if (outcome === 'cancel') return
    response.computeInfer.add(inferNs)
    if (outcome === 'success' || (outcome === 'fail' && outputNs > 0)) {
      response.computeOutput.add(outputNs)
    }
  }
}
