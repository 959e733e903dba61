import {
  create,
  type DescMethod,
  fromBinary,
  type JsonValue,
  type MessageInitShape,
  type MessageShape,
  toBinary,
  toJson,
} from '@bufbuild/protobuf'
import { GRPCInferenceService } from '../../../../adapters/grpc/messages/grpc_service_pb.ts'
import type { CallContext, UnaryMethod } from '../../../../adapters/grpc/types.ts'
import { ANYBODY, type Principal } from '../../../../core/access/types.ts'

type Methods = readonly UnaryMethod[]

export function callContext(principal: Principal = ANYBODY): CallContext {
  const caller = { door: 'grpc', header: () => undefined, address: '', certificate: '' } as const
  return { principal, caller, signal: new AbortController().signal }
}

/** What a server does with a whole message: read, authorized, handled, written. */
export async function callBytes(
  methods: Methods,
  path: string,
  message: Uint8Array,
  principal?: Principal,
): Promise<Uint8Array> {
  const method = methods.find((one) => one.path === path)
  if (method === undefined) throw new Error(`no method ${path}`)
  const input = method.decode(message)
  method.model?.(input)
  return method.encode(await method.handle(input, callContext(principal)))
}

/** Calls a method of the inference service with a message. */
export async function call<M extends keyof typeof GRPCInferenceService.method>(
  methods: Methods,
  name: M,
  input: MessageInitShape<(typeof GRPCInferenceService.method)[M]['input']>,
  principal?: Principal,
): Promise<MessageShape<(typeof GRPCInferenceService.method)[M]['output']>> {
  const method: DescMethod = GRPCInferenceService.method[name]
  const message = toBinary(method.input, create(method.input, input as Record<string, unknown>))
  const path = `/${GRPCInferenceService.typeName}/${method.name}`
  const answer = await callBytes(methods, path, message, principal)
  return fromBinary(method.output, answer) as MessageShape<
    (typeof GRPCInferenceService.method)[M]['output']
  >
}

/** An answer in the JSON of protobuf, with the names of the .proto file. */
export function answerJson(method: DescMethod, answer: Uint8Array): JsonValue {
  return toJson(method.output, fromBinary(method.output, answer), { useProtoFieldName: true })
}
