import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'

const PROTO = fileURLToPath(new URL('../../../../infra/proto/', import.meta.url))

export const PROTO_FILES: readonly string[] = [
  'grpc_service.proto',
  'model_config.proto',
  'grpc/health/v1/health.proto',
  'grpc/reflection/v1/reflection.proto',
  'grpc/reflection/v1alpha/reflection.proto',
]

/** The .proto files as protobufjs reads them: nothing of the generated messages is in it. */
export function protoRoot(): protobuf.Root {
  const root = new protobuf.Root()
  root.resolvePath = (_origin, target) => PROTO + target
  root.loadSync([...PROTO_FILES], { keepCase: true })
  root.resolveAll()
  return root
}
