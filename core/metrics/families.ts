import type { RequestTimes } from '../stats.ts'

/** Prometheus' metric types that this server has. */
export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary'

/** One metric family: everything about it that is not a figure. */
export interface Family {
  readonly name: string
  readonly type: MetricType
  readonly help: string
}

/** Names of what is counted per model version; Triton's where it has one. */
export type ModelFamilyKey =
  | 'success'
  | 'failure'
  | 'count'
  | 'execCount'
  | 'requestUs'
  | 'queueUs'
  | 'computeInputUs'
  | 'computeInferUs'
  | 'computeOutputUs'
  | 'pending'
  | 'loadSeconds'
  | 'cacheHits'
  | 'cacheHitUs'
  | 'cacheMisses'
  | 'cacheMissUs'
  | 'cacheSkipped'
  | 'requestHistogram'
  | 'queueHistogram'
  | 'computeHistogram'
  | 'firstResponse'

/** The one table of the families per model version, in the order they are printed. Labels: see `modelLabels`. */
export const MODEL_FAMILIES: Readonly<Record<ModelFamilyKey, Family>> = {
  success: {
    name: 'nv_inference_request_success',
    type: 'counter',
    help: 'Number of successful inference requests, all batch sizes',
  },
  failure: {
    name: 'nv_inference_request_failure',
    type: 'counter',
    help: 'Number of failed inference requests, all batch sizes',
  },
  count: {
    name: 'nv_inference_count',
    type: 'counter',
    help: 'Number of inferences performed (does not include cached requests)',
  },
  execCount: {
    name: 'nv_inference_exec_count',
    type: 'counter',
    help: 'Number of model executions performed (does not include cached requests)',
  },
  requestUs: {
    name: 'nv_inference_request_duration_us',
    type: 'counter',
    help: 'Cumulative inference request duration in microseconds (includes cached requests)',
  },
  queueUs: {
    name: 'nv_inference_queue_duration_us',
    type: 'counter',
    help: 'Cumulative inference queuing duration in microseconds (includes cached requests)',
  },
  computeInputUs: {
    name: 'nv_inference_compute_input_duration_us',
    type: 'counter',
    help: 'Cumulative compute input duration in microseconds (does not include cached requests)',
  },
  computeInferUs: {
    name: 'nv_inference_compute_infer_duration_us',
    type: 'counter',
    help: 'Cumulative compute inference duration in microseconds (does not include cached requests)',
  },
  computeOutputUs: {
    name: 'nv_inference_compute_output_duration_us',
    type: 'counter',
    help: 'Cumulative inference compute output duration in microseconds (does not include cached requests)',
  },
  pending: {
    name: 'nv_inference_pending_request_count',
    type: 'gauge',
    help: 'Instantaneous number of pending requests awaiting execution per-model.',
  },
  loadSeconds: {
    name: 'nv_model_load_duration_secs',
    type: 'gauge',
    help: 'Model load time in seconds',
  },
  cacheHits: {
    name: 'nv_cache_num_hits_per_model',
    type: 'counter',
    help: 'Number of cache hits per model',
  },
  cacheHitUs: {
    name: 'nv_cache_hit_duration_per_model',
    type: 'counter',
    help: 'Total cache hit duration per model, in microseconds',
  },
  cacheMisses: {
    name: 'nv_cache_num_misses_per_model',
    type: 'counter',
    help: 'Number of cache misses per model',
  },
  cacheMissUs: {
    name: 'nv_cache_miss_duration_per_model',
    type: 'counter',
    help: 'Total cache miss (insert+lookup) duration per model, in microseconds',
  },
  cacheSkipped: {
    name: 'nereid_cache_skipped_per_model',
    type: 'counter',
    help: 'Number of responses that were too large for the response cache',
  },
  requestHistogram: {
    name: 'nereid_inference_request_duration_seconds',
    type: 'histogram',
    help: 'Time from the whole request to its answer',
  },
  queueHistogram: {
    name: 'nereid_inference_queue_duration_seconds',
    type: 'histogram',
    help: 'Time a request waited in its queue',
  },
  firstResponse: {
    name: 'nv_inference_first_response_histogram_ms',
    type: 'histogram',
    help: 'Duration from request to first response in milliseconds',
  },
  computeHistogram: {
    name: 'nereid_inference_compute_duration_seconds',
    type: 'histogram',
    help: 'Time a request was computed: input, inference and output together',
  },
}

/** Which latency families are Triton's `counter_latencies` setting. */
export const COUNTER_LATENCIES: ReadonlySet<ModelFamilyKey> = new Set([
  'requestUs',
  'queueUs',
  'computeInputUs',
  'computeInferUs',
  'computeOutputUs',
  'cacheHits',
  'cacheHitUs',
  'cacheMisses',
  'cacheMissUs',
])

/** What is summarised: the times of requests, and of looking them up in the cache. */
export type SummaryKey = keyof RequestTimes | 'cacheHitNs' | 'cacheMissNs'

/** `--metrics-config summary_latencies=true`. */
export const SUMMARY_FAMILIES: Readonly<Record<SummaryKey, Family>> = {
  requestNs: {
    name: 'nv_inference_request_summary_us',
    type: 'summary',
    help: 'Summary of inference request duration in microseconds (includes cached requests)',
  },
  queueNs: {
    name: 'nv_inference_queue_summary_us',
    type: 'summary',
    help: 'Summary of inference queuing duration in microseconds (includes cached requests)',
  },
  computeInputNs: {
    name: 'nv_inference_compute_input_summary_us',
    type: 'summary',
    help: 'Cumulative compute input duration in microseconds (does not include cached requests)',
  },
  computeInferNs: {
    name: 'nv_inference_compute_infer_summary_us',
    type: 'summary',
    help: 'Cumulative compute inference duration in microseconds (does not include cached requests)',
  },
  computeOutputNs: {
    name: 'nv_inference_compute_output_summary_us',
    type: 'summary',
    help: 'Cumulative inference compute output duration in microseconds (does not include cached requests)',
  },
  cacheHitNs: {
    name: 'nv_cache_hit_summary_per_model',
    type: 'summary',
    help: 'Summary of cache hit counts/durations per model, in microseconds.',
  },
  cacheMissNs: {
    name: 'nv_cache_miss_summary_per_model',
    type: 'summary',
    help: 'Summary of cache miss counts/durations per model, in microseconds.',
  },
}

/** Figures of the machine (`--allow-cpu-metrics`). */
export type CpuFamilyKey = 'utilization' | 'memoryTotal' | 'memoryUsed'

export const CPU_FAMILIES: Readonly<Record<CpuFamilyKey, Family>> = {
  utilization: {
    name: 'nv_cpu_utilization',
    type: 'gauge',
    help: 'CPU utilization rate [0.0 - 1.0]',
  },
  memoryTotal: {
    name: 'nv_cpu_memory_total_bytes',
    type: 'gauge',
    help: 'CPU total memory (RAM), in bytes',
  },
  memoryUsed: {
    name: 'nv_cpu_memory_used_bytes',
    type: 'gauge',
    help: 'CPU used memory (RAM), in bytes',
  },
}

/** Figures of each NVIDIA GPU (`--allow-gpu-metrics`). Label: `gpu_uuid`. */
export type GpuFamilyKey =
  | 'utilization'
  | 'memoryTotal'
  | 'memoryUsed'
  | 'powerUsage'
  | 'powerLimit'
  | 'energy'

export const GPU_FAMILIES: Readonly<Record<GpuFamilyKey, Family>> = {
  utilization: {
    name: 'nv_gpu_utilization',
    type: 'gauge',
    help: 'GPU utilization rate [0.0 - 1.0)',
  },
  memoryTotal: {
    name: 'nv_gpu_memory_total_bytes',
    type: 'gauge',
    help: 'GPU total memory, in bytes',
  },
  memoryUsed: {
    name: 'nv_gpu_memory_used_bytes',
    type: 'gauge',
    help: 'GPU used memory, in bytes',
  },
  powerUsage: { name: 'nv_gpu_power_usage', type: 'gauge', help: 'GPU power usage in watts' },
  powerLimit: {
    name: 'nv_gpu_power_limit',
    type: 'gauge',
    help: 'GPU power management limit in watts',
  },
  energy: {
    name: 'nv_energy_consumption',
    type: 'counter',
    help: 'GPU energy consumption in joules since the server started',
  },
}

export const DROPPED_FAMILY: Family = {
  name: 'nereid_metrics_dropped',
  type: 'gauge',
  help: 'Series left out of this answer because of --metrics-max-series',
}
