import { fromJson } from '@bufbuild/protobuf'
import { parseModelVersion } from '../../../core/protocol/grpc/model-version.ts'
import { statisticsJson } from '../../../core/protocol/rest/server-json.ts'
import type { InferenceServer } from '../../../core/server-types.ts'
import {
  ModelStatisticsRequestSchema,
  ModelStatisticsResponseSchema,
} from '../messages/grpc_service_pb.ts'
import { answer } from './answer.ts'
import type { Answer } from './types.ts'

/** What the statistics endpoint says, as a message: one place decides which figures there are. */
export const modelStatistics: Answer = answer({
  input: ModelStatisticsRequestSchema,
  output: ModelStatisticsResponseSchema,
  model: ({ name }) => name,
  run: ({ name, version }, { server }, { principal }) => {
    const entries = statisticsOf(server, name, parseModelVersion(version)).filter((entry) =>
      principal.sees(entry.name),
    )
    return fromJson(ModelStatisticsResponseSchema, JSON.parse(statisticsJson(entries)), {
      ignoreUnknownFields: true,
    })
  },
})

/** Of all models, all versions, whatever version is asked for. */
function statisticsOf(server: InferenceServer, name: string, version: string) {
  return name === '' ? server.statistics() : server.statistics(name, version)
}
