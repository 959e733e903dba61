import type { EnsembleStep, ModelConfig } from '../types.ts'

/** A tensor that flows between the steps of an ensemble. */
interface Flow {
  ready: boolean
  /** The step that writes it; inputs of the ensemble have none. */
  writer: Step | undefined
  readonly readers: Step[]
}

/** Tensors meet at steps, so that a step of n inputs and m outputs costs n + m links. */
interface Step {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Inputs not ready yet. */
  missing: number
}

/** What is wrong with the steps of an ensemble, in Triton's words. */
export function ensembleProblem(config: ModelConfig, name: string): string | undefined {
  const steps = config.ensemble_scheduling?.step ?? []
  if (steps.length === 0) return `must specify 'step' for ensemble '${name}'`
  const flows = new Map<string, Flow>()
  for (const [i, step] of steps.entries()) {
    const problem = stepProblem(step, i, name) ?? linkStep(flows, step, i, name)
    if (problem !== undefined) return problem
  }
  for (const { name: input = '' } of config.input ?? []) {
    if (!flows.has(input)) return `ensemble input '${input}' for ensemble ${name} is not used`
  }
  spreadReadiness(
    flows,
    (config.input ?? []).map((input) => input.name ?? ''),
  )
  return outputProblem(flows, config, name) ?? unusedProblem(flows, config, name)
}

function stepProblem(step: EnsembleStep, i: number, name: string): string | undefined {
  const where = `in step ${i} of ensemble '${name}'`
  if (!step.model_name) return `must specify 'model_name' ${where}`
  if (Object.keys(step.input_map ?? {}).length === 0) return `must specify 'input_map' ${where}`
  if (Object.keys(step.output_map ?? {}).length === 0) return `must specify 'output_map' ${where}`
  return undefined
}

function linkStep(
  flows: Map<string, Flow>,
  config: EnsembleStep,
  i: number,
  name: string,
): string | undefined {
  const inputs = [...new Set(Object.values(config.input_map ?? {}))]
  const outputs = Object.values(config.output_map ?? {})
  const step: Step = { inputs, outputs, missing: inputs.length }
  for (const output of outputs) {
    const flow = flowOf(flows, output)
    if (flow.writer !== undefined) {
      return `ensemble tensor '${output}' can appear in an output map only once for ensemble '${name}' step ${i}`
    }
    flow.writer = step
  }
  for (const input of inputs) flowOf(flows, input).readers.push(step)
  return undefined
}

function flowOf(flows: Map<string, Flow>, tensor: string): Flow {
  const known = flows.get(tensor)
  if (known !== undefined) return known
  const flow: Flow = { ready: false, writer: undefined, readers: [] }
  flows.set(tensor, flow)
  return flow
}

function spreadReadiness(flows: ReadonlyMap<string, Flow>, inputs: readonly string[]): void {
  const queue: string[] = []
  const makeReady = (tensor: string): void => {
    const flow = flows.get(tensor)
    if (flow === undefined || flow.ready) return
    flow.ready = true
    queue.push(tensor)
  }
  for (const input of inputs) makeReady(input)
  for (let at = 0; at < queue.length; at++) {
    for (const step of flows.get(queue[at] ?? '')?.readers ?? []) {
      step.missing -= 1
      if (step.missing === 0) for (const output of step.outputs) makeReady(output)
    }
  }
}

function outputProblem(
  flows: ReadonlyMap<string, Flow>,
  config: ModelConfig,
  name: string,
): string | undefined {
  for (const { name: output = '' } of config.output ?? []) {
    const flow = flows.get(output)
    if (flow === undefined) return `ensemble output '${output}' for ensemble ${name} is not used`
    if (flow.ready) continue
    const source = unreadySource(flows, output)
    const reason =
      source === output
        ? ''
        : `: at least one of its depending tensors, '${source}', is not connected`
    return `output '${output}' for ensemble '${name}' is not written${reason}`
  }
  return undefined
}

/** Walks from `output` to where its lack of readiness begins; circles end where they close. */
function unreadySource(flows: ReadonlyMap<string, Flow>, output: string): string {
  const seen = new Set<Step>()
  let at = output
  for (;;) {
    const writer = flows.get(at)?.writer
    if (writer === undefined || seen.has(writer)) return at
    seen.add(writer)
    const next = writer.inputs.find((source) => !flows.get(source)?.ready)
    if (next === undefined) return at
    at = next
  }
}

function unusedProblem(
  flows: ReadonlyMap<string, Flow>,
  config: ModelConfig,
  name: string,
): string | undefined {
  const outputs = new Set((config.output ?? []).map((output) => output.name))
  for (const [tensor, flow] of flows) {
    if (outputs.has(tensor)) continue
    if (!flow.ready || flow.readers.length === 0) {
      return `ensemble tensor '${tensor}' is unused in ensemble '${name}'`
    }
  }
  return undefined
}
