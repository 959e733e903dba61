import { ServerError } from '../errors.ts'
import { safeJoin } from '../paths.ts'
import type { Clock } from '../platform.ts'
import { type ForestFormat, readForest } from '../trees/read-forest.ts'
import type { Forest } from '../trees/types.ts'
import { FilInstance } from './fil-instance.ts'
import { type FilOptions, filOptions } from './fil-options.ts'
import { FIL_INPUT, FIL_OUTPUT, filPlan } from './fil-scores.ts'
import type { Backend, BackendModel, ModelSource } from './types.ts'

/** `max_batch_size` of models whose config names neither it nor inputs: rows cost little, and less together. */
export const DEFAULT_FIL_BATCH = 32_768

/** Reads a model file, or throws ServerError with what is wrong with it. */
export type ForestReader = (
  format: ForestFormat,
  bytes: Uint8Array,
  signal?: AbortSignal,
) => Promise<Forest>

export interface FilBackendOptions {
  readonly clock: Clock
  /** Default: at once, on the thread that asks. */
  readonly read?: ForestReader
}

/**
 * Triton's `fil` backend: forests of XGBoost (JSON, UBJSON), LightGBM (text) and Treelite (checkpoints), evaluated here. Scores
 * are those of the library's own `predict`. Config parameters as FIL's; `model_type` may be left to the file's name, and
 * `is_classifier` to what the model was trained for.
 */
export function filBackend(options: FilBackendOptions): Backend {
  const read = options.read ?? (async (format, bytes) => readForest(format, bytes))
  return {
    name: 'fil',
    defaultModelFilename: '',
    defaultCpuInstances: 1,
    async load(source, signal) {
      const wanted = filOptions(source.config)
      const forest = await readFile(source, { ...wanted, read, signal })
      return filModel({ forest, wanted, source, clock: options.clock })
    },
  }
}

interface Reading extends FilOptions {
  readonly read: ForestReader
  readonly signal: AbortSignal | undefined
}

async function readFile(
  { store, versionPath, name }: ModelSource,
  { file, format, read, signal }: Reading,
): Promise<Forest> {
  const path = safeJoin(versionPath, file)
  const bytes = await store.read(path, signal)
  try {
    return await read(format, bytes, signal)
  } catch (error) {
    if (!(error instanceof ServerError)) throw error
    throw new ServerError(
      error.code,
      `failed to load model '${name}': ${path} as ${format}: ${error.message}`,
    )
  }
}

interface Loaded {
  readonly forest: Forest
  readonly wanted: FilOptions
  readonly source: ModelSource
  readonly clock: Clock
}

function filModel({ forest, wanted, source, clock }: Loaded): BackendModel {
  const { columns } = filPlan(forest, wanted, source.config)
  // A config that lists inputs without a batch size means shapes as they are.
  const listed = (source.config.input?.length ?? 0) > 0
  const sized = listed || source.settings.has('default-max-batch-size')
  return {
    ...(sized ? {} : { config: { max_batch_size: DEFAULT_FIL_BATCH } }),
    io: {
      inputs: [{ name: FIL_INPUT, datatype: 'FP32', shape: [-1, forest.features] }],
      outputs: [{ name: FIL_OUTPUT, datatype: 'FP32', shape: [-1, columns] }],
    },
    instance: (_placement, config) =>
      Promise.resolve(new FilInstance(filPlan(forest, wanted, config), clock)),
    close: () => Promise.resolve(),
  }
}
