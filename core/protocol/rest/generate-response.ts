import type { InferResponse, ParameterValue } from '../../infer.ts'
import type { ServedModel } from '../../server-types.ts'
import { elementCount, type Tensor } from '../../tensor.ts'
import { parameterText } from './infer-response.ts'
import { JsonWriter, quote } from './json-writer.ts'
import { writeTensorData } from './tensor-json.ts'

/**
 * A response as one flat JSON object, members in alphabetical order: the model, the id, the response's parameters and its
 * outputs, an output of one element without its list. Of equal names the one named first here counts, as with Triton.
 */
export function encodeGenerateResponse(
  model: ServedModel,
  id: string,
  response: InferResponse,
): Uint8Array {
  const members = new Map<string, Tensor | { readonly value: ParameterValue }>()
  if (id !== '') members.set('id', { value: id })
  members.set('model_name', { value: model.name })
  members.set('model_version', { value: String(model.version) })
  for (const [name, value] of response.parameters ?? []) {
    if (!members.has(name)) members.set(name, { value })
  }
  for (const tensor of response.outputs) {
    if (!members.has(tensor.name)) members.set(tensor.name, tensor)
  }
  const writer = new JsonWriter()
  let separator = '{'
  for (const name of [...members.keys()].sort()) {
    writer.text(`${separator}${quote(name)}:`)
    separator = ','
    const member = members.get(name) as Tensor | { readonly value: ParameterValue }
    if ('value' in member) writer.text(parameterText(member.value))
    else writeTensorData(writer, member, elementCount(member.shape) !== 1)
  }
  writer.text('}')
  return writer.finish()
}
