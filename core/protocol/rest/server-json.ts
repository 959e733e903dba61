import { configToJson } from '../../config/config-json.ts'
import type { ModelConfig } from '../../config/types.ts'
import type {
  IndexEntry,
  InferenceServer,
  ModelMetadata,
  ModelStatisticsEntry,
} from '../../server-types.ts'
import type { Duration } from '../../stats.ts'

/** The answers of the read-only routes. Members in Triton's order. */

export function serverMetadataJson(server: InferenceServer): string {
  return JSON.stringify({ name: server.id, version: server.version, extensions: server.extensions })
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
    // Filled by decoupled models only.
    response_stats: {},
    batch_stats: batches.map(([size, batch]) => ({
      batch_size: size,
      compute_input: duration(batch.computeInput),
      compute_infer: duration(batch.computeInfer),
      compute_output: duration(batch.computeOutput),
    })),
    memory_usage: [],
  }
}

function duration(value: Duration): { count: number; ns: number } {
  return value.toJSON()
}
