import type { Rule } from './rule.ts'

export const metricControlsAreComplete: Rule = ({ config, fail }) => {
  for (const [i, control] of (config.model_metrics?.metric_control ?? []).entries()) {
    const path = `model_metrics.metric_control[${i}]`
    if (control.metric_identifier === undefined) {
      throw fail(path, "metric control must specify 'metric_identifier'")
    }
    if (!control.metric_identifier.family) {
      throw fail(path, "metric identifier must specify non-empty 'family'")
    }
    if (control.histogram_options === undefined) {
      throw fail(path, "metric control must specify 'histogram_options'")
    }
    const buckets = control.histogram_options.buckets ?? []
    if (buckets.length === 0) {
      throw fail(path, "histogram options must specify non-empty 'buckets'")
    }
    if (!buckets.every((bucket, at) => at === 0 || bucket > (buckets[at - 1] ?? bucket))) {
      throw fail(path, "histogram options must specify 'buckets' in strictly increasing order")
    }
  }
}
