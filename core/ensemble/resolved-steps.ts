import type { EnsembleGraph, GraphStep } from './graph.ts'
import type { StepModel, StepModels } from './types.ts'

/** A step with the model that runs it now. */
export interface ResolvedStep extends GraphStep {
  readonly runs: StepModel
  /** Whether the model has a batch dimension. */
  readonly batches: boolean
  /** Gives any number of responses. */
  readonly decoupled: boolean
  /** Slots of inputs without which the model does not run. */
  readonly required: readonly number[]
  /** By input of the step: the model's dims, without the batch dimension. */
  readonly dims: readonly (readonly number[])[]
}

/** Looks up the models of all steps, again only when what is served has changed. Throws where one does not serve. */
export function createStepResolver(
  graph: EnsembleGraph,
  models: StepModels,
): () => readonly ResolvedStep[] {
  let steps: readonly ResolvedStep[] = []
  let generation = Number.NaN
  return () => {
    if (generation === models.generation) return steps
    const found = graph.steps.map((step) => resolve(step, models.find(step.model, step.version)))
    generation = models.generation
    steps = found
    return steps
  }
}

function resolve(step: GraphStep, runs: StepModel): ResolvedStep {
  const { config } = runs
  const inputs = new Map((config.input ?? []).map((input) => [input.name, input]))
  return {
    ...step,
    runs,
    batches: (config.max_batch_size ?? 0) > 0,
    decoupled: config.model_transaction_policy?.decoupled === true,
    required: step.inputs
      .filter((port) => inputs.get(port.name)?.optional !== true)
      .map((port) => port.slot),
    dims: step.inputs.map((port) => inputs.get(port.name)?.dims ?? []),
  }
}
