import type { ModelConfig } from '../../../core/config/types.ts'
import type { Model, Port } from '../../../native/openvino/model.ts'
import type { OpenVinoSettings } from './settings.ts'

/**
 * Gives a model the shapes that its config asks for. Returns the rows that every batch must have, or undefined where any
 * number will do. With `max_batch_size` every input's first dimension becomes free; where the model does not go with
 * that (or is not to: `SKIP_OV_DYNAMIC_BATCHSIZE`), it becomes `max_batch_size`, as in Triton's backend. Throws where the
 * model takes neither.
 */
export function applyShapes(
  model: Model,
  config: ModelConfig,
  settings: OpenVinoSettings,
): number | undefined {
  const most = config.max_batch_size ?? 0
  const batching = most > 0
  if (settings.reshape) model.reshape(configShapes(config, batching))
  if (!batching) return undefined
  // A batch that can only have one row gains nothing from a free dimension, and shapes that are fixed run faster.
  if (settings.fixedBatch || most === 1) return fixed(model, most)
  if (all(model.inputs, -1)) return undefined
  try {
    model.reshape(withRows(model, -1))
    if (all(model.outputs, -1)) return undefined
  } catch {
    // The graph has its batch size written into it.
  }
  return fixed(model, most)
}

function fixed(model: Model, rows: number): number {
  if (!all(model.inputs, rows)) model.reshape(withRows(model, rows))
  return rows
}

function all(ports: readonly Port[], rows: number): boolean {
  return ports.every((port) => port.shape === null || port.shape[0] === rows)
}

function withRows(model: Model, rows: number): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>()
  for (const { name, shape } of model.inputs) {
    if (shape !== null && shape.length > 0) shapes.set(name, [rows, ...shape.slice(1)])
  }
  return shapes
}

function configShapes(config: ModelConfig, batching: boolean): Map<string, readonly number[]> {
  return new Map(
    (config.input ?? []).map((input) => {
      const dims = input.reshape?.shape ?? input.dims ?? []
      return [input.name ?? '', batching ? [-1, ...dims] : dims]
    }),
  )
}
