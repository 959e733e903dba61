import type { FamilySamples } from '../../core/metrics/model-series.ts'

/** Traces that never arrived, in the mode's own unit. */
export function traceMetrics(mode: string, lost: number): readonly FamilySamples[] {
  return [
    {
      family: {
        name: 'nereid_trace_lost',
        type: 'counter',
        help: 'Number of traces that were lost because the disk (mode triton) or the collector (mode opentelemetry, spans) did not take them',
      },
      samples: [{ labels: { mode }, value: lost }],
    },
  ]
}
