import type { ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import { createGraph, type EnsembleGraph } from './graph.ts'

export interface EnsembleCheckOptions {
  /** Normalized; its flow was checked. */
  readonly config: ModelConfig
  /** The complete config of a composing model, in the version that serves under its plain name. */
  readonly composing: (name: string) => ModelConfig
}

/**
 * Whether an ensemble is decoupled: any of its steps is. Responses of different decoupled models cannot be paired, so a
 * step (and the ensemble's answer) takes all its tensors from one of them. Throws INVALID_ARG with Triton's text where it
 * does not.
 */
export function isDecoupled({ config, composing }: EnsembleCheckOptions): boolean {
  const graph = createGraph(config)
  const steps = graph.steps.map(
    (step) => composing(step.model).model_transaction_policy?.decoupled === true,
  )
  if (!steps.includes(true)) return false
  const labels = labelSlots(graph, steps, config.name ?? '')
  const outputs = new Set(graph.outputs.map((output) => labels[output.slot]))
  if (outputs.size > 1) throw mixed(config.name ?? '', config.name ?? '')
  return true
}

/** By slot: 0 = one tensor a request, else the number of the decoupled step from which its tensors come. */
function labelSlots(graph: EnsembleGraph, decoupled: readonly boolean[], name: string): number[] {
  const labels: number[] = new Array(graph.slots).fill(0)
  const waits = graph.steps.map((step) => step.slots.length)
  const open = [...graph.writers.keys()].filter((slot) => graph.writers[slot] === -1)
  let next = 1
  for (let slot = open.pop(); slot !== undefined; slot = open.pop()) {
    for (const index of graph.readers[slot] ?? []) {
      waits[index] = (waits[index] as number) - 1
      if (waits[index] !== 0) continue
      const step = graph.steps[index] as EnsembleGraph['steps'][number]
      const sources = new Set(step.slots.map((read) => labels[read]))
      if (sources.size > 1) throw mixed(name, step.model)
      const label = decoupled[index] === true ? next++ : (labels[slot] as number)
      for (const port of step.outputs) {
        labels[port.slot] = label
        open.push(port.slot)
      }
    }
  }
  return labels
}

function mixed(ensemble: string, model: string): ServerError {
  return new ServerError(
    'INVALID_ARG',
    `in ensemble ${ensemble}, step of model '${model}' receives inputs originated from different decoupled models`,
  )
}
