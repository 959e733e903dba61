import type { FamilySamples } from '../../core/metrics/model-series.ts'
import type { OnDemand, OnDemandFigures } from '../../core/server-types.ts'

/** What was loaded because somebody asked for it, and what was unloaded to make room. */
export function onDemandMetrics(onDemand: OnDemand | undefined): readonly FamilySamples[] {
  if (onDemand === undefined) return []
  const { figures } = onDemand
  const samples = (value: (one: OnDemandFigures) => number): FamilySamples['samples'] =>
    figures.map((one) => ({ labels: { model: one.model }, value: value(one) }))
  return [
    {
      family: {
        name: 'nereid_model_loads_on_demand_total',
        type: 'counter',
        help: 'Number of times a model was loaded because a request needed it',
      },
      samples: samples(({ loads }) => loads),
    },
    {
      family: {
        name: 'nereid_model_evictions_total',
        type: 'counter',
        help: 'Number of times a model was unloaded to make room for another',
      },
      samples: samples(({ evictions }) => evictions),
    },
    {
      family: {
        name: 'nereid_model_memory_bytes',
        type: 'gauge',
        help: 'What a loaded model takes of --model-memory-budget',
      },
      samples: samples(({ bytes }) => bytes),
    },
  ]
}
