import type { StreamMethod } from '../types.ts'
import { reflectionStream } from './reflection-stream.ts'

/** gRPC's server reflection under both of its names. The descriptors are loaded with the first question. */
export function reflectionMethods(): readonly StreamMethod[] {
  return ['v1', 'v1alpha'].map((version) => ({
    path: `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    operation: 'reflection',
    open: reflectionStream,
  }))
}
