import { createRegistry, type DescFile, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { file_grpc_health_v1_health } from '../messages/grpc/health/v1/health_pb.ts'
import { file_grpc_reflection_v1_reflection } from '../messages/grpc/reflection/v1/reflection_pb.ts'
import { file_grpc_reflection_v1alpha_reflection } from '../messages/grpc/reflection/v1alpha/reflection_pb.ts'
import { file_grpc_service } from '../messages/grpc_service_pb.ts'
import { file_model_config } from '../messages/model_config_pb.ts'

const FILES: readonly DescFile[] = [
  file_grpc_service,
  file_model_config,
  file_grpc_health_v1_health,
  file_grpc_reflection_v1_reflection,
  file_grpc_reflection_v1alpha_reflection,
]

const registry = createRegistry(...FILES)

/** Full names of the services that this server has, sorted. */
export const SERVICES: readonly string[] = FILES.flatMap((file) =>
  file.services.map((service) => service.typeName),
).sort()

/** Serialized FileDescriptorProtos: the file called `name`, then what it imports. null = there is no such file. */
export function filesOf(name: string): readonly Uint8Array[] | null {
  const file = FILES.find(({ proto }) => proto.name === name)
  return file === undefined ? null : withImports(file)
}

/** As {@link filesOf}, for the file in which a service, method, message, field or enum is defined. */
export function filesWithSymbol(symbol: string): readonly Uint8Array[] | null {
  const type = registry.get(symbol) ?? ownerOf(symbol)
  return type === undefined ? null : withImports(type.file)
}

export function hasMessage(name: string): boolean {
  return registry.getMessage(name) !== undefined
}

/** The service, message or enum that has the last part of `symbol` as a member. */
function ownerOf(symbol: string): { readonly file: DescFile } | undefined {
  const dot = symbol.lastIndexOf('.')
  if (dot < 0) return undefined
  const member = symbol.slice(dot + 1)
  const owner = registry.get(symbol.slice(0, dot))
  switch (owner?.kind) {
    case 'service':
      return owner.methods.some(({ name }) => name === member) ? owner : undefined
    case 'message': {
      const { fields, oneofs } = owner
      return [...fields, ...oneofs].some(({ name }) => name === member) ? owner : undefined
    }
    default:
      return undefined
  }
}

function withImports(file: DescFile): readonly Uint8Array[] {
  return [file, ...file.dependencies].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto))
}
