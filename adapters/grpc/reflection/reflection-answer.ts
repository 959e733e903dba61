import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import {
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from '../messages/grpc/reflection/v1/reflection_pb.ts'
import { Status } from '../types.ts'
import { filesOf, filesWithSymbol, hasMessage, SERVICES } from './descriptors.ts'

type MessageResponse = NonNullable<
  MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse']
>
type Question = NonNullable<ServerReflectionResponse['originalRequest']>['messageRequest']

/** Answers one question; null where the bytes are none. The messages of v1 and v1alpha are the same on the wire. */
export function reflectionAnswer(question: Uint8Array): Uint8Array | null {
  let request: NonNullable<ServerReflectionResponse['originalRequest']>
  try {
    request = fromBinary(ServerReflectionRequestSchema, question, { readUnknownFields: false })
  } catch {
    return null
  }
  const response = create(ServerReflectionResponseSchema, {
    validHost: request.host,
    originalRequest: request,
    messageResponse: messageResponse(request.messageRequest),
  })
  return toBinary(ServerReflectionResponseSchema, response)
}

function messageResponse(question: Question): MessageResponse {
  switch (question.case) {
    case 'listServices': {
      const service = SERVICES.map((name) => ({ name }))
      return { case: 'listServicesResponse', value: { service } }
    }
    case 'fileByFilename':
      return files(filesOf(question.value), `file not found: ${question.value}`)
    case 'fileContainingSymbol':
      return files(filesWithSymbol(question.value), `symbol not found: ${question.value}`)
    case 'fileContainingExtension':
      return refused(Status.NOT_FOUND, 'extension not found: there are no extensions')
    case 'allExtensionNumbersOfType':
      return hasMessage(question.value)
        ? { case: 'allExtensionNumbersResponse', value: { baseTypeName: question.value } }
        : refused(Status.NOT_FOUND, `type not found: ${question.value}`)
    default:
      return refused(Status.INVALID_ARGUMENT, 'no question in the reflection request')
  }
}

function files(found: readonly Uint8Array[] | null, missing: string): MessageResponse {
  if (found === null) return refused(Status.NOT_FOUND, missing)
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto: [...found] } }
}

function refused(errorCode: number, errorMessage: string): MessageResponse {
  return { case: 'errorResponse', value: { errorCode, errorMessage } }
}
