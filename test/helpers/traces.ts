import type { Clock } from '../../core/platform.ts'
import { TENSORS, TIMESTAMPS } from '../../core/trace/level.ts'
import { createTracer } from '../../core/trace/tracer.ts'
import type { FinishedTrace, TraceFacts, Tracer, TraceValues } from '../../core/trace/types.ts'

export const FILE_FACTS: TraceFacts = { mode: 'triton', file: '/traces.json', options: [] }

export interface KeptTraces {
  readonly tracer: Tracer
  readonly traces: readonly FinishedTrace[]
  /** How often a collector was told that no more traces come. */
  readonly retired: number
}

/** A tracer that keeps what it collects; it traces everything unless told otherwise. */
export function keepTraces(
  clock: Clock,
  start: Partial<TraceValues> = {},
  facts: Partial<TraceFacts> = {},
): KeptTraces {
  const traces: FinishedTrace[] = []
  let retired = 0
  const tracer = createTracer({
    clock,
    start: { level: TIMESTAMPS | TENSORS, rate: 1, count: -1, logFrequency: 0, ...start },
    facts: { ...FILE_FACTS, ...facts },
    collector: () => ({
      collect: (trace) => traces.push(trace),
      retire: () => {
        retired++
      },
    }),
  })
  return {
    tracer,
    traces,
    get retired() {
      return retired
    },
  }
}
