import { paddingOf, type TrimmedOutput } from '../config/padding.ts'
import type { ModelConfig, ModelOutput } from '../config/types.ts'
import { createScatters, type Scatter } from './scatter.ts'

/** What cutting a result apart needs to know of a model's outputs, worked out once. */
export interface OutputPlan {
  /** By name, the order in which Triton's backends walk outputs, whatever the config's. */
  readonly names: readonly string[]
  /** Whether results have the batch's rows along their first axis. */
  readonly batches: boolean
  /** Turns the shape a model gives (rows aside) into the one clients see; only outputs with `reshape`. */
  readonly reshapes: ReadonlyMap<string, (shape: readonly number[]) => number[]> | null
  /** Outputs whose parts have the shapes of an input of each request. */
  readonly scatters: ReadonlyMap<string, Scatter> | null
  /** Outputs that are longer than their requests' inputs were. */
  readonly trims: ReadonlyMap<string, TrimmedOutput> | null
  /** Whether what a model gives for a request alone is what its client sees. */
  readonly plain: boolean
}

export function createOutputPlan(config: ModelConfig): OutputPlan {
  const outputs = config.output ?? []
  const reshapes = new Map<string, (shape: readonly number[]) => number[]>()
  for (const output of outputs) {
    const reshape = createReshape(output)
    if (reshape !== null) reshapes.set(output.name ?? '', reshape)
  }
  const scatters = createScatters(config)
  const trims = paddingOf(config)?.outputs ?? null
  return {
    names: outputs.map((output) => output.name ?? '').sort(),
    batches: (config.max_batch_size ?? 0) > 0,
    reshapes: reshapes.size === 0 ? null : reshapes,
    scatters,
    trims,
    plain: reshapes.size === 0 && scatters === null && trims === null,
  }
}

/** Free dimensions of the model's shape fill the free dimensions of `dims`, in order. */
function createReshape(output: ModelOutput): ((shape: readonly number[]) => number[]) | null {
  if (output.reshape === undefined) return null
  const inner = output.reshape.shape ?? []
  const dims = output.dims ?? []
  return (shape) => {
    const free: number[] = []
    for (let i = 0; i < inner.length; i++) if (inner[i] === -1) free.push(shape[i] ?? -1)
    let next = 0
    return dims.map((dim) => (dim === -1 ? (free[next++] ?? -1) : dim))
  }
}
