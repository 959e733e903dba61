import { sameBytes } from '../bytes.ts'
import { paddingOf } from '../config/padding.ts'
import type { ModelConfig, ModelInput } from '../config/types.ts'
import type { InferRequest } from '../infer.ts'
import type { Tensor } from '../tensor.ts'
import { MAX_PADDED_BYTES } from './padded-instance.ts'

/** Tells whether two requests may run in one batch. `null` where any two of a model may. */
export type BatchRule = (first: InferRequest, other: InferRequest) => boolean

type Demand = 'shape' | 'shape and content' | 'shape or size'

/**
 * Inputs with a free dimension must have equal shapes (rows aside) unless their batch may be ragged, or is padded and would not
 * be too large for that; shape tensors must hold the same values too; with optional inputs, both requests must bring the same
 * ones. Outputs, parameters and priorities never keep requests apart.
 */
export function createBatchRule(config: ModelConfig): BatchRule | null {
  const inputs = config.input ?? []
  const hasOptional = inputs.some((input) => input.optional === true)
  const demands = new Map<string, Demand>()
  const padded = paddingOf(config)?.inputs
  const maxItemBytes = MAX_PADDED_BYTES / Math.max(1, config.max_batch_size ?? 0)
  for (const input of inputs) {
    const demand = padded?.has(input.name ?? '') === true ? 'shape or size' : demandOf(input)
    if (demand !== undefined) demands.set(input.name ?? '', demand)
  }
  if (demands.size === 0 && !hasOptional) return null

  return (first, other) => {
    const a = first.inputs
    const b = other.inputs
    if (a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) {
      const x = a[i] as Tensor
      const y = b[i] as Tensor
      if (x.name !== y.name) return false
      const demand = demands.get(x.name)
      if (demand === undefined) continue
      if (!sameItemShape(x.shape, y.shape)) {
        const small = itemBytes(first, x) <= maxItemBytes && itemBytes(other, y) <= maxItemBytes
        if (demand !== 'shape or size' || !small) return false
      }
      if (demand === 'shape and content' && !sameBytes(x.data, y.data)) return false
    }
    return true
  }
}

function demandOf(input: ModelInput): Demand | undefined {
  if (input.is_shape_tensor === true) return 'shape and content'
  if (input.allow_ragged_batch === true) return undefined
  return input.dims?.includes(-1) === true ? 'shape' : undefined
}

function itemBytes({ batchSize }: InferRequest, { data }: Tensor): number {
  return data.length / Math.max(1, batchSize)
}

function sameItemShape(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 1; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
