import { configToJson } from '../../config/config-json.ts'
import type { ModelConfig } from '../../config/types.ts'
import type {
  IndexEntry,
  InferenceServer,
  ModelMetadata,
  ModelStatisticsEntry,
} from '../../server-types.ts'
import type { Duration, ResponseStats } from '../../stats.ts'

/** The answers of the read-only routes. Members in Triton's order. */

/** `more`: extensions that this front end adds. */
export function serverMetadataJson(server: InferenceServer, more: readonly string[] = []): string {
  const extensions = [...server.extensions, ...more]
  return JSON.stringify({ name: server.id, version: server.version, extensions })
}

export function modelMetadataJson(metadata: ModelMetadata): string {
  const { name, versions, platform, inputs, outputs } = metadata
  return JSON.stringify({
    name,
    versions,
    platform,
    inputs: inputs.map(tensorMetadata),
    outputs: outputs.map(tensorMetadata),
  })
}

function tensorMetadata(tensor: ModelMetadata['inputs'][number]): object {
  return { name: tensor.name, datatype: tensor.datatype, shape: tensor.shape }
}

export function modelConfigJson(config: ModelConfig): string {
  return JSON.stringify(configToJson(config))
}

export function indexJson(entries: readonly IndexEntry[]): string {
  return JSON.stringify(
    entries.map(({ name, version, state, reason }) => ({
      name,
      version,
      state,
      reason: reason === '' ? undefined : reason,
    })),
  )
}

export function statisticsJson(entries: readonly ModelStatisticsEntry[]): string {
  return JSON.stringify({ model_stats: entries.map(modelStatistics) })
}

function modelStatistics({ name, version, stats }: ModelStatisticsEntry): object {
  const batches = [...stats.batches].sort(([a], [b]) => a - b)
  return {
    name,
    version,
    last_inference: Math.floor(stats.lastInferenceMs),
    inference_count: stats.inferenceCount,
    execution_count: stats.executionCount,
    inference_stats: {
      success: duration(stats.success),
      fail: duration(stats.fail),
      queue: duration(stats.queue),
      compute_input: duration(stats.computeInput),
      compute_infer: duration(stats.computeInfer),
      compute_output: duration(stats.computeOutput),
      cache_hit: duration(stats.cacheHit),
      cache_miss: duration(stats.cacheMiss),
    },
    response_stats: responseStatistics(stats.responses),
    batch_stats: batches.map(([size, batch]) => ({
      batch_size: size,
      compute_input: duration(batch.computeInput),
      compute_infer: duration(batch.computeInfer),
      compute_output: duration(batch.computeOutput),
    })),
    memory_usage: [],
  }
}

/** By the place of a response in its stream; decoupled models only. */
function responseStatistics(responses: readonly ResponseStats[]): object {
  return Object.fromEntries(
    responses.map((response, index) => [
      String(index),
      {
        compute_infer: duration(response.computeInfer),
        compute_output: duration(response.computeOutput),
        success: duration(response.success),
        fail: duration(response.fail),
        empty_response: duration(response.emptyResponse),
        cancel: duration(response.cancel),
      },
    ]),
  )
}

function duration(value: Duration): { count: number; ns: number } {
  return value.toJSON()
}
