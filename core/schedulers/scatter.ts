import type { Batch } from '../backend/types.ts'
import type { ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import { byteSize, elementCount, shapeText, type Tensor } from '../tensor.ts'
import { skipElements } from './skip-elements.ts'

/** How an output of `BATCH_SCATTER_WITH_INPUT_SHAPE` is cut: the requests' parts lie end to end, whatever its shape. */
export interface Scatter {
  /** The input whose shape fills the free dimensions of {@link dims}, each its own place. */
  readonly source: string
  /** Of one request's part, batch dimension included; -1 = free. */
  readonly dims: readonly number[]
}

/** By output; null where the config has none. */
export function createScatters(config: ModelConfig): ReadonlyMap<string, Scatter> | null {
  const scatters = new Map<string, Scatter>()
  const rows = (config.max_batch_size ?? 0) > 0 ? [-1] : []
  for (const { source_input = [], target_name = [] } of config.batch_output ?? []) {
    for (const target of target_name) {
      const output = config.output?.find(({ name }) => name === target)
      const dims = output?.reshape?.shape ?? output?.dims ?? []
      scatters.set(target, { source: source_input[0] ?? '', dims: [...rows, ...dims] })
    }
  }
  return scatters.size === 0 ? null : scatters
}

/** One tensor per request: views, no copies. Throws INTERNAL when the parts are not exactly what `output` holds. */
export function scatterOutput(output: Tensor, batch: Batch, scatter: Scatter): readonly Tensor[] {
  const { name, datatype, data } = output
  let at = 0
  const parts = batch.requests.map((request): Tensor => {
    const shape = partShape(request, scatter)
    const bytes = byteSize(datatype, shape)
    const end = bytes >= 0 ? at + bytes : skipElements(output, at, elementCount(shape))
    const part = { name, datatype, shape, data: data.subarray(at, end) }
    at = end
    return part
  })
  if (at === data.length) return parts
  const shapes = parts.map(({ shape }) => shapeText(shape)).join(', ')
  throw new ServerError(
    'INTERNAL',
    `output '${name}' has ${data.length} bytes, expected ${at} for requests of ${shapes}`,
  )
}

function partShape(request: InferRequest, { source, dims }: Scatter): readonly number[] {
  const input = request.inputs.find(({ name }) => name === source)
  if (input === undefined) {
    throw new ServerError(
      'INTERNAL',
      `an output takes its shape from input '${source}', which is absent`,
    )
  }
  return dims.map((dim, i) => (dim === -1 ? (input.shape[i] ?? 0) : dim))
}
