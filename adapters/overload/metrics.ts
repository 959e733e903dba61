import type { FamilySamples } from '../../core/metrics/model-series.ts'
import type { OverloadGate } from '../../core/overload/gate.ts'

/** What is in flight, and what was refused. */
export function overloadMetrics(gate: OverloadGate): readonly FamilySamples[] {
  return [
    {
      family: {
        name: 'nereid_inflight_requests',
        type: 'gauge',
        help: 'Inference requests that were let in and are not answered',
      },
      samples: [{ labels: {}, value: gate.inflight }],
    },
    {
      family: {
        name: 'nereid_request_bytes',
        type: 'gauge',
        help: 'Bytes of request bodies in memory, as --memory-budget counts them',
      },
      samples: [{ labels: {}, value: gate.bytes }],
    },
    {
      family: {
        name: 'nereid_shed_requests',
        type: 'counter',
        help: 'Number of requests that were refused because the server had too much to do, by reason',
      },
      samples: Object.entries(gate.shed).map(([reason, value]) => ({ labels: { reason }, value })),
    },
  ]
}
