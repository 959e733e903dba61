import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { ModelInferRequestSchema } from '../../../adapters/grpc/messages/grpc_service_pb.ts'
import { infer, input, type Question } from '../questions/question.ts'

/** A model that reads what it shall do from a string. */
export function what(group: string, model: string, ...names: readonly string[]): Question[] {
  return names.map((name) =>
    infer(group, `${model}: ${name.replaceAll('_', ' ')}`, model, {
      inputs: [input('WHAT', 'BYTES', [1], [name])],
    }),
  )
}

/** Loads a model; the answer is Triton's reason where it does not load. */
export function load(model: string): Question {
  return {
    group: 'load',
    name: `load ${model}`,
    method: 'POST',
    path: `/v2/repository/models/${model}/load`,
  }
}

export function unload(model: string): Question {
  return {
    group: 'load',
    name: `unload ${model}`,
    method: 'POST',
    path: `/v2/repository/models/${model}/unload`,
  }
}

export const INT32 = (name: string, ...values: readonly number[]) =>
  input(name, 'INT32', [values.length], values)

/** A call of gRPC to record. */
export interface Call {
  readonly name: string
  readonly method: 'ModelInfer' | 'ModelStreamInfer'
  readonly requests_base64: readonly string[]
}

type Request = MessageInitShape<typeof ModelInferRequestSchema>
interface Parameters {
  readonly parameters?: NonNullable<Request['parameters']>
}

export function call(name: string, request: Request): Call {
  return { name, method: 'ModelInfer', requests_base64: [base64(request)] }
}

export function stream(name: string, ...requests: readonly Request[]): Call {
  return { name, method: 'ModelStreamInfer', requests_base64: requests.map(base64) }
}

function base64(request: Request): string {
  const bytes = toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, request))
  return Buffer.from(bytes).toString('base64')
}

/** A request of INT32 numbers in one input. */
export function numbers(
  model: string,
  id: string,
  name: string,
  values: readonly number[],
  more: Parameters = {},
  shape: readonly number[] = [values.length],
): Request {
  return {
    modelName: model,
    id,
    inputs: [{ name, datatype: 'INT32', shape: shape.map(BigInt) }],
    rawInputContents: [new Uint8Array(Int32Array.from(values).buffer)],
    ...more,
  }
}

/** A request of one string in one input. */
export function word(
  model: string,
  id: string,
  name: string,
  text: string,
  more: Parameters = {},
): Request {
  const bytes = Buffer.from(text)
  const content = Buffer.alloc(4 + bytes.length)
  content.writeUInt32LE(bytes.length, 0)
  bytes.copy(content, 4)
  return {
    modelName: model,
    id,
    inputs: [{ name, datatype: 'BYTES', shape: [1n] }],
    rawInputContents: [content],
    ...more,
  }
}
