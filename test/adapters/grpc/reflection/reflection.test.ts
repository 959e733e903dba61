import { Client, credentials, Metadata } from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import descriptor from 'protobufjs/ext/descriptor.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { controlMethods } from '../../../../adapters/grpc/control/control-methods.ts'
import { reflectionMethods } from '../../../../adapters/grpc/reflection/reflection-methods.ts'
import { type GrpcServer, startGrpc } from '../../../../adapters/grpc/server.ts'
import { startReferenceHttp2 } from '../../../../adapters/http2/reference.ts'
import { nodeClock } from '../../../../adapters/platform/clock.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../../core/protocol/limits.ts'
import { type Serving, serve } from '../../../helpers/serve.ts'
import { protoRoot } from '../messages/proto-files.ts'

const SERVICES = [
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
  'inference.GRPCInferenceService',
]
const written = protoRoot()

let serving: Serving
let grpc: GrpcServer
let client: Client

beforeAll(async () => {
  serving = await serve()
  const { server, log } = serving
  grpc = await startGrpc({
    transport: startReferenceHttp2,
    server,
    log,
    clock: nodeClock(),
    limits: DEFAULT_PROTOCOL_LIMITS,
    address: '127.0.0.1',
    port: 0,
    methods: controlMethods({ server, logControl: log, sharedMemory: null, log }),
    streamMethods: reflectionMethods(),
  })
  client = new Client(`127.0.0.1:${grpc.port}`, credentials.createInsecure())
})
afterAll(async () => {
  client.close()
  await grpc.close(1000)
  await serving.close()
})

interface Answer {
  readonly valid_host: string
  readonly original_request: object
  readonly list_services_response?: { service: { name: string }[] }
  readonly file_descriptor_response?: { file_descriptor_proto: Uint8Array[] }
  readonly all_extension_numbers_response?: object
  readonly error_response?: { error_code: number; error_message: string }
}

/** Asks everything at once on one call and collects the answers. */
function ask(version: string, questions: readonly object[]): Promise<readonly Answer[]> {
  const Question = written.lookupType(`grpc.reflection.${version}.ServerReflectionRequest`)
  const Reply = written.lookupType(`grpc.reflection.${version}.ServerReflectionResponse`)
  const call = client.makeBidiStreamRequest(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    (question: object) => Buffer.from(Question.encode(Question.fromObject(question)).finish()),
    (bytes: Buffer) => Reply.toObject(Reply.decode(bytes)) as Answer,
    new Metadata(),
  )
  const answers: Answer[] = []
  return new Promise((resolve, reject) => {
    call.on('data', (answer: Answer) => answers.push(answer))
    call.on('error', reject)
    call.on('end', () => resolve(answers))
    for (const question of questions) call.write(question)
    call.end()
  })
}

const filesOf = ({ file_descriptor_response }: Answer): protobuf.Message[] =>
  file_descriptor_response!.file_descriptor_proto.map((bytes) =>
    descriptor.FileDescriptorProto.decode(bytes),
  )
const nameOf = (file: protobuf.Message): string => (file as unknown as { name: string }).name

for (const version of ['v1', 'v1alpha']) {
  describe(`reflection ${version}`, () => {
    test('lists every service', async () => {
      const question = { host: 'h', list_services: '' }
      const [answer] = await ask(version, [question])
      expect(answer!.list_services_response!.service.map(({ name }) => name)).toEqual(SERVICES)
      expect(answer).toMatchObject({ valid_host: 'h', original_request: question })
    })

    test('what it describes is what the .proto files say', async () => {
      const answers = await ask(
        version,
        SERVICES.map((file_containing_symbol) => ({ file_containing_symbol })),
      )
      const files = new Map(answers.flatMap(filesOf).map((file) => [nameOf(file), file]))
      expect([...files.keys()].sort()).toEqual([
        'grpc/health/v1/health.proto',
        'grpc/reflection/v1/reflection.proto',
        'grpc/reflection/v1alpha/reflection.proto',
        'grpc_service.proto',
        'model_config.proto',
      ])
      const described = protobuf.Root.fromDescriptor({ file: [...files.values()] } as never)
      described.resolveAll()
      expect(shapeOf(described)).toEqual(shapeOf(written))
    })

    test('finds a file by its name, by a nested type, a method, a field and an enum', async () => {
      const answers = await ask(version, [
        { file_by_filename: 'grpc_service.proto' },
        { file_containing_symbol: 'inference.ModelInferRequest.InferInputTensor' },
        { file_containing_symbol: 'inference.GRPCInferenceService.ModelInfer' },
        { file_containing_symbol: 'inference.ModelConfig.input' },
        { file_containing_symbol: 'inference.DataType' },
      ])
      expect(answers.map((answer) => filesOf(answer).map(nameOf))).toEqual([
        ...[1, 2, 3].map(() => ['grpc_service.proto', 'model_config.proto']),
        ...[1, 2].map(() => ['model_config.proto']),
      ])
    })

    test('says what is not there, and goes on', async () => {
      const answers = await ask(version, [
        { file_by_filename: '../nope.proto' },
        { file_containing_symbol: 'inference.Nope' },
        { file_containing_symbol: 'inference.GRPCInferenceService.Nope' },
        { file_containing_extension: { containing_type: 'x', extension_number: 1 } },
        { all_extension_numbers_of_type: 'x' },
        {},
        { all_extension_numbers_of_type: 'inference.ModelConfig' },
      ])
      expect(answers.map(({ error_response }) => error_response?.error_code)).toEqual([
        ...[5, 5, 5, 5, 5, 3],
        undefined,
      ])
      expect(answers.at(-1)!.all_extension_numbers_response).toEqual({
        base_type_name: 'inference.ModelConfig',
      })
    })
  })
}

test('a thousand questions on one call get a thousand answers in their order', async () => {
  const questions = Array.from({ length: 1000 }, (_, i) => ({ file_by_filename: `${i}.proto` }))
  const answers = await ask('v1', questions)
  expect(answers.map((answer) => answer.original_request)).toEqual(questions)
})

// The descriptors are read with names in camel case.
const camel = (name: string): string => protobuf.util.camelCase(name)

/** Everything two roots can be compared by: types with their fields, enums with their values, methods. */
function shapeOf(space: protobuf.NamespaceBase): Record<string, unknown> {
  const shape: Record<string, unknown> = {}
  for (const one of space.nestedArray) {
    if (one instanceof protobuf.Type) {
      const fields = one.fieldsArray.map((field) => {
        const type = field.resolvedType?.fullName ?? field.type
        const key = field instanceof protobuf.MapField ? field.keyType : ''
        const group = field.partOf?.name ?? ''
        return [camel(field.name), field.id, type, key, field.repeated, camel(group)].join(' ')
      })
      shape[one.fullName] = fields.sort()
    } else if (one instanceof protobuf.Enum) shape[one.fullName] = one.values
    else if (one instanceof protobuf.Service) {
      shape[one.fullName] = one.methodsArray.map((method) => {
        const { name, requestType, responseType, requestStream, responseStream } = method
        const last = (type: string) => type.split('.').at(-1)
        return [name, last(requestType), last(responseType), !!requestStream, !!responseStream]
      })
    }
    if (one instanceof protobuf.Namespace) Object.assign(shape, shapeOf(one))
  }
  return shape
}
