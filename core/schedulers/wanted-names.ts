import type { InferRequest } from '../infer.ts'
import type { OutputPlan } from './output-plan.ts'

/** Names of the outputs that `request` gets, in the model's order; no new list in the common cases. */
export function wantedNames({ outputs }: InferRequest, plan: OutputPlan): readonly string[] {
  const { names } = plan
  if (outputs === null) return names
  if (outputs.length === 1) return outputs
  let all = outputs.length === names.length
  for (let i = 0; i < names.length && all; i++) all = outputs[i] === names[i]
  return all ? names : names.filter((name) => outputs.includes(name))
}
