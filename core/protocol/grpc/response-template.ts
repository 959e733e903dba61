import type { InferResponse, Parameters } from '../../infer.ts'
import { sameShape, type Tensor } from '../../tensor.ts'
import { ProtoWriter } from './proto-writer.ts'
import type { ResponseTemplate } from './types.ts'

/** The fixed fields of an answer with `outputs`, as they are sent (classes instead of values where those are wanted). */
export function makeTemplate(
  modelName: string,
  modelVersion: string,
  parameters: Parameters | undefined,
  outputs: readonly Tensor[],
): ResponseTemplate {
  const head = new ProtoWriter()
  if (modelName !== '') head.string(1, modelName)
  if (modelVersion !== '') head.string(2, modelVersion)
  const body = new ProtoWriter()
  if (parameters !== undefined) writeParameters(body, parameters)
  for (const { name, datatype, shape } of outputs) {
    const output = new ProtoWriter()
    output.string(1, name)
    output.string(2, datatype)
    output.packedInt64(3, shape)
    body.bytes(5, output.finish())
  }
  return {
    head: head.finish(),
    body: body.finish(),
    outputs: outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
  }
}

/** Whether `response` is what `template` was made for, its bytes aside. */
export function templateFits(template: ResponseTemplate, response: InferResponse): boolean {
  const { outputs } = response
  const known = template.outputs
  if (response.parameters !== undefined || outputs.length !== known.length) return false
  for (let i = 0; i < outputs.length; i++) {
    const output = outputs[i] as Tensor
    const expected = known[i] as (typeof known)[number]
    if (output.name !== expected.name || output.datatype !== expected.datatype) return false
    if (!sameShape(output.shape, expected.shape)) return false
  }
  return true
}

function writeParameters(writer: ProtoWriter, parameters: Parameters): void {
  for (const [key, value] of parameters) {
    const parameter = new ProtoWriter()
    if (typeof value === 'boolean') parameter.varint(1, value ? 1 : 0)
    else if (typeof value === 'bigint') parameter.int64(2, value)
    else if (typeof value === 'string') parameter.string(3, value)
    else parameter.double(4, value)
    const entry = new ProtoWriter()
    entry.string(1, key)
    entry.bytes(2, parameter.finish())
    writer.bytes(4, entry.finish())
  }
}
