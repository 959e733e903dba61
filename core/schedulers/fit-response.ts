import type { InferRequest, InferResponse } from '../infer.ts'
import type { Tensor } from '../tensor.ts'
import type { OutputPlan } from './output-plan.ts'
import { wantedNames } from './wanted-names.ts'

/**
 * A response of a decoupled model as its request gets it: the outputs that were asked for, in the order in which the model gave
 * them, in the shapes that clients see. What the model left out stays out. All of it is as with Triton. What is right already
 * is passed on as it is.
 */
export function fitResponse(
  request: InferRequest,
  response: InferResponse,
  plan: OutputPlan,
): InferResponse {
  const { outputs } = response
  const names = wantedNames(request, plan)
  let asItIs = plan.reshapes === null
  for (let i = 0; i < outputs.length && asItIs; i++) {
    asItIs = names.includes((outputs[i] as Tensor).name)
  }
  if (asItIs) return response
  const wanted: Tensor[] = []
  for (const output of outputs) {
    if (names.includes(output.name)) wanted.push(reshaped(output, plan))
  }
  return { ...response, outputs: wanted }
}

function reshaped(tensor: Tensor, plan: OutputPlan): Tensor {
  const reshape = plan.reshapes?.get(tensor.name)
  if (reshape === undefined) return tensor
  const { shape } = tensor
  const given = plan.batches ? [...shape.slice(0, 1), ...reshape(shape.slice(1))] : reshape(shape)
  return { ...tensor, shape: given }
}
