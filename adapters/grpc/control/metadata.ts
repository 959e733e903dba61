import { fromJson } from '@bufbuild/protobuf'
import { configToJson } from '../../../core/config/config-json.ts'
import { parseModelVersion } from '../../../core/protocol/grpc/model-version.ts'
import type { TensorMetadata } from '../../../core/server-types.ts'
import {
  ModelConfigRequestSchema,
  ModelConfigResponseSchema,
  ModelMetadataRequestSchema,
  ModelMetadataResponseSchema,
  ServerMetadataRequestSchema,
  ServerMetadataResponseSchema,
} from '../messages/grpc_service_pb.ts'
import { ModelConfigSchema } from '../messages/model_config_pb.ts'
import { answer } from './answer.ts'
import type { Answer } from './types.ts'

export const serverMetadata: Answer = answer({
  input: ServerMetadataRequestSchema,
  output: ServerMetadataResponseSchema,
  run: (_input, { server }) => ({
    name: server.id,
    version: server.version,
    extensions: [...server.extensions],
  }),
})

export const modelMetadata: Answer = answer({
  input: ModelMetadataRequestSchema,
  output: ModelMetadataResponseSchema,
  model: ({ name }) => name,
  run: ({ name, version }, { server }) => {
    const metadata = server.modelMetadata(name, parseModelVersion(version))
    return {
      name: metadata.name,
      versions: [...metadata.versions],
      platform: metadata.platform,
      inputs: metadata.inputs.map(tensorMetadata),
      outputs: metadata.outputs.map(tensorMetadata),
    }
  },
})

function tensorMetadata({ name, datatype, shape }: TensorMetadata) {
  return { name, datatype, shape: shape.map(BigInt) }
}

/** The config as the config endpoint prints it: its JSON is the JSON of the message. */
export const modelConfig: Answer = answer({
  input: ModelConfigRequestSchema,
  output: ModelConfigResponseSchema,
  model: ({ name }) => name,
  run: ({ name, version }, { server }) => ({
    config: fromJson(
      ModelConfigSchema,
      configToJson(server.modelConfig(name, parseModelVersion(version))),
    ),
  }),
})
