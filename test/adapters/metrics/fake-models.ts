import type { ServedModel } from '../../../core/server-types.ts'
import { ModelStats } from '../../../core/stats.ts'

/** A model that has statistics and a name and nothing else. */
export function fakeModel(
  name: string,
  version: number,
  metricTags: Record<string, string> = {},
): ServedModel & { pending: number } {
  return {
    name,
    version,
    config: { name, metric_tags: metricTags },
    inputs: [],
    outputs: [],
    stats: new ModelStats(),
    pending: 0,
    ready: true,
    checksContent: false,
    labels: () => undefined,
    check: () => {},
    submit: () => {},
  }
}

/** One successful request whose phases took the given microseconds. */
export function succeed(model: ServedModel, us: number, batch = 1): void {
  model.stats.recordSuccess(batch, 1, {
    requestNs: us * 1000,
    queueNs: us * 100,
    computeInputNs: us * 200,
    computeInferNs: us * 300,
    computeOutputNs: us * 400,
  })
  model.stats.recordExecution(batch, us * 200, us * 300, us * 400)
}

/** The parts of a server that metrics look at. */
export function fakeServer(models: ServedModel[]) {
  return { generation: 1, models: () => models }
}
