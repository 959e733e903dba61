import type { InferResponse, Parameters, ParameterValue } from '../../infer.ts'
import type { ServedModel } from '../../server-types.ts'
import { unknownRegion } from '../../shared-memory/errors.ts'
import type { RegionLease } from '../../shared-memory/types.ts'
import type { Tensor } from '../../tensor.ts'
import { classify } from '../classification.ts'
import type { ProtocolLimits } from '../limits.ts'
import { doubleText, JsonWriter, quote } from './json-writer.ts'
import { writeTensorData } from './tensor-json.ts'
import type { EncodedResponse, RequestedOutput, ResponseFormat } from './types.ts'

export interface EncodeOptions {
  readonly model: ServedModel
  /** The request's id; '' = none. */
  readonly id: string
  readonly format: ResponseFormat
  readonly response: InferResponse
  readonly limits: ProtocolLimits
  /** There when an output goes to shared memory. Default: none. */
  readonly lease?: RegionLease | null
}

/** Writes an infer response: outputs in the order of `response`, each in the form its request asked for. */
export function encodeInferResponse(options: EncodeOptions): EncodedResponse {
  const { model, format, response } = options
  const writer = new JsonWriter()
  const tails: Uint8Array[] = []
  writer.text(opening(options.id, model))
  writer.text(parametersText(response.parameters))
  writer.text('"outputs":[')
  let first = true
  for (const tensor of response.outputs) {
    const wanted = format.outputs === null ? undefined : findOutput(format.outputs, tensor.name)
    const output =
      wanted !== undefined && wanted.classification > 0
        ? classes(tensor, wanted.classification, options)
        : tensor
    writer.text(first ? describe(output) : `,${describe(output)}`)
    first = false
    if (wanted?.region) {
      if (!options.lease) throw unknownRegion(wanted.region.region)
      options.lease.write(output.name, wanted.region, output.data)
      writer.text('}')
    } else if (wanted === undefined ? format.binaryDefault : wanted.binary) {
      writer.text(`,"parameters":{"binary_data_size":${output.data.length}}}`)
      if (output.data.length > 0) tails.push(output.data)
    } else {
      writer.text(',"data":')
      writeTensorData(writer, output)
      writer.text('}')
    }
  }
  writer.text(']}')
  return { json: writer.finish(), tails, binary: tails.length > 0 }
}

function findOutput(
  outputs: readonly RequestedOutput[],
  name: string,
): RequestedOutput | undefined {
  for (const output of outputs) if (output.name === name) return output
  return undefined
}

function classes(tensor: Tensor, count: number, options: EncodeOptions): Tensor {
  return classify(tensor, {
    count,
    batching: (options.model.config.max_batch_size ?? 0) > 0,
    labels: options.model.labels(tensor.name),
    maxElements: options.limits.classificationElements,
  })
}

function opening(id: string, model: ServedModel): string {
  return `{${id === '' ? '' : `"id":${quote(id)},`}${modelText(model)}`
}

function modelText(model: ServedModel): string {
  return `"model_name":${quote(model.name)},"model_version":"${model.version}",`
}

function describe(tensor: Tensor): string {
  return `{"name":${quote(tensor.name)},"datatype":"${tensor.datatype}","shape":[${tensor.shape.join(',')}]`
}

function parametersText(parameters: Parameters | undefined): string {
  if (parameters === undefined || parameters.size === 0) return ''
  const members: string[] = []
  for (const [key, value] of parameters) {
    members.push(`${quote(key)}:${parameterText(value)}`)
  }
  return `"parameters":{${members.join(',')}},`
}

export function parameterText(value: ParameterValue): string {
  if (typeof value === 'string') return quote(value)
  return typeof value === 'number' ? doubleText(value) : String(value)
}
