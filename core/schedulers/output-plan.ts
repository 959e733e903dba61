import type { ModelConfig, ModelOutput } from '../config/types.ts'

/** What cutting a result apart needs to know of a model's outputs, worked out once. */
export interface OutputPlan {
  /** By name, the order in which Triton's backends walk outputs, whatever the config's. */
  readonly names: readonly string[]
  /** Whether results have the batch's rows along their first axis. */
  readonly batches: boolean
  /** Turns the shape a model gives (rows aside) into the one clients see; only outputs with `reshape`. */
  readonly reshapes: ReadonlyMap<string, (shape: readonly number[]) => number[]> | null
}

export function createOutputPlan(config: ModelConfig): OutputPlan {
  const outputs = config.output ?? []
  const reshapes = new Map<string, (shape: readonly number[]) => number[]>()
  for (const output of outputs) {
    const reshape = createReshape(output)
    if (reshape !== null) reshapes.set(output.name ?? '', reshape)
  }
  return {
    names: outputs.map((output) => output.name ?? '').sort(),
    batches: (config.max_batch_size ?? 0) > 0,
    reshapes: reshapes.size === 0 ? null : reshapes,
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
