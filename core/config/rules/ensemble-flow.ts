import type { EnsembleStep, ModelConfig } from '../types.ts'

/** A tensor that flows between the steps of an ensemble. */
interface Flow {
  written: boolean
  ready: boolean
  readonly from: Set<string>
  readonly to: Set<string>
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
  step: EnsembleStep,
  i: number,
  name: string,
): string | undefined {
  const outputs = Object.values(step.output_map ?? {})
  for (const output of outputs) {
    const flow = flowOf(flows, output)
    if (flow.written) {
      return `ensemble tensor '${output}' can appear in an output map only once for ensemble '${name}' step ${i}`
    }
    flow.written = true
  }
  for (const input of Object.values(step.input_map ?? {})) {
    for (const output of outputs) {
      flowOf(flows, input).to.add(output)
      flowOf(flows, output).from.add(input)
    }
  }
  return undefined
}

function flowOf(flows: Map<string, Flow>, tensor: string): Flow {
  const known = flows.get(tensor)
  if (known !== undefined) return known
  const flow: Flow = { written: false, ready: false, from: new Set(), to: new Set() }
  flows.set(tensor, flow)
  return flow
}

function spreadReadiness(flows: ReadonlyMap<string, Flow>, inputs: readonly string[]): void {
  const queue = [...inputs]
  for (const tensor of inputs) {
    const flow = flows.get(tensor)
    if (flow !== undefined) flow.ready = true
  }
  for (let at = 0; at < queue.length; at++) {
    for (const next of flows.get(queue[at] ?? '')?.to ?? []) {
      const flow = flows.get(next)
      if (flow === undefined || flow.ready) continue
      flow.ready = [...flow.from].every((source) => flows.get(source)?.ready)
      if (flow.ready) queue.push(next)
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
  const seen = new Set<string>()
  let at = output
  for (;;) {
    const next = [...(flows.get(at)?.from ?? [])].find(
      (source) => !flows.get(source)?.ready && !seen.has(source),
    )
    if (next === undefined) return at
    seen.add(next)
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
    if (!flow.ready || flow.to.size === 0) {
      return `ensemble tensor '${tensor}' is unused in ensemble '${name}'`
    }
  }
  return undefined
}
