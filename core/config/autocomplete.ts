import type { IoSpec, ModelIo } from '../backend/types.ts'
import { ServerError } from '../errors.ts'
import { configOfDatatype } from './datatypes.ts'
import { inHashOrder } from './hash-order.ts'
import type { ModelConfig, ModelInput } from './types.ts'

/** `max_batch_size` of auto-completed models that can batch; Triton's `--backend-config=default-max-batch-size`. */
export const DEFAULT_MAX_BATCH_SIZE = 4

export interface CompleteOptions {
  readonly modelName: string
  /** Default {@link DEFAULT_MAX_BATCH_SIZE}. */
  readonly defaultMaxBatchSize?: number
  /** False for `--disable-auto-complete-config`: the config is returned as it is. Default true. */
  readonly enabled?: boolean
}

/**
 * Fills what `config` lacks from what the model file says of itself, as Triton's onnxruntime backend does: only where
 * inputs or outputs are missing altogether. A model whose tensors all begin with a free dimension can batch: it gets
 * `max_batch_size`, and `dynamic_batching` where that exceeds 1 and the config names no scheduler. Throws INVALID_ARG where a config asks for batching and the model cannot.
 */
export function completeConfig(
  config: ModelConfig,
  io: ModelIo | undefined,
  options: CompleteOptions,
): ModelConfig {
  const enabled = options.enabled ?? true
  const inputs = (config.input?.length ?? 0) + (config.batch_input?.length ?? 0)
  const outputs = config.output?.length ?? 0
  if (!enabled || io === undefined || (inputs > 0 && outputs > 0)) return config
  const required = io.inputs.filter((input) => !input.optional)
  const filled = completeBatching(config, [...required, ...io.outputs], options)
  const batching = (filled.max_batch_size ?? 0) > 0
  if (inputs === 0) filled.input = inHashOrder(required).map((spec) => tensorConfig(spec, batching))
  if (outputs === 0) {
    filled.output = inHashOrder(io.outputs).map((spec) => tensorConfig(spec, batching))
  }
  return filled
}

function completeBatching(
  config: ModelConfig,
  tensors: readonly IoSpec[],
  options: CompleteOptions,
): ModelConfig {
  const asked = config.max_batch_size ?? 0
  if (!tensors.every((spec) => spec.shape[0] === -1)) {
    if (asked === 0) return { ...config }
    throw new ServerError(
      'INVALID_ARG',
      `autofill failed for model '${options.modelName}': model does not support batching while non-zero max_batch_size is specified`,
    )
  }
  const size = asked || Math.max(0, options.defaultMaxBatchSize ?? DEFAULT_MAX_BATCH_SIZE)
  const scheduled = config.dynamic_batching !== undefined || config.sequence_batching !== undefined
  return {
    ...config,
    max_batch_size: size,
    ...(size > 1 && !scheduled ? { dynamic_batching: {} } : {}),
  }
}

/** `dims` leave the batch dimension out; a scalar is `[1]`, with an empty reshape where the model batches. */
function tensorConfig(spec: IoSpec, batching: boolean): ModelInput {
  const dims = spec.shape.slice(batching ? 1 : 0)
  const scalar = dims.length === 0
  return {
    name: spec.name,
    data_type: configOfDatatype(spec.datatype),
    dims: scalar ? [1] : dims,
    ...(scalar && batching ? { reshape: { shape: [] } } : {}),
  }
}
