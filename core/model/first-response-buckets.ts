import type { ModelConfig } from '../config/types.ts'
import { FIRST_RESPONSE_BUCKETS_MS } from '../stats.ts'

const FAMILY = 'nv_inference_first_response_histogram_ms'

/** Buckets of the time to the first response, milliseconds: those of the config's `model_metrics`, or Triton's. */
export function firstResponseBuckets(config: ModelConfig): readonly number[] {
  for (const control of config.model_metrics?.metric_control ?? []) {
    if (control.metric_identifier?.family !== FAMILY) continue
    return control.histogram_options?.buckets ?? FIRST_RESPONSE_BUCKETS_MS
  }
  return FIRST_RESPONSE_BUCKETS_MS
}
