import type { InferResponse } from '../../../core/infer.ts'
import type { ProtocolLimits } from '../../../core/protocol/limits.ts'
import { encodeInferResponse } from '../../../core/protocol/rest/infer-response.ts'
import type { ResponseFormat } from '../../../core/protocol/rest/types.ts'
import type { ServedModel } from '../../../core/server-types.ts'
import type { ReplyTemplate } from './header-memo.ts'

/**
 * The JSON of a reply whose outputs are all binary tensors as they are: it is the same for every answer of the same
 * shapes. null where it is not: JSON data, classes, response parameters.
 */
export function makeTemplate(
  model: ServedModel,
  format: ResponseFormat,
  answer: InferResponse,
  limits: ProtocolLimits,
): ReplyTemplate | null {
  const { outputs } = answer
  if (answer.parameters !== undefined) return null
  const listed = format.outputs
  if (
    listed === null ? !format.binaryDefault : listed.some((o) => !o.binary || o.classification > 0)
  ) {
    return null
  }
  const { json, tails } = encodeInferResponse({ model, id: '', format, response: answer, limits })
  // Every output must be written as the bytes it has, in the same order.
  if (tails.length !== outputs.length) return null
  for (let i = 0; i < outputs.length; i++) if (tails[i] !== outputs[i]?.data) return null
  return {
    names: outputs.map((output) => output.name),
    shapes: outputs.map((output) => output.shape),
    sizes: outputs.map((output) => output.data.length),
    json: Buffer.from(json),
    tailBytes: outputs.reduce((sum, output) => sum + output.data.length, 0),
  }
}
