import type { Placement } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'

export interface GpuLimit {
  /** GPU → fraction of its memory (`--model-load-gpu-limit`); others have no limit. */
  readonly fractions: ReadonlyMap<number, number>
  /** Bytes of a GPU, now; undefined where nobody knows. */
  memory(gpu: number): { readonly total: number; readonly used: number } | undefined
}

/** Throws, as Triton does, when more of the GPU is used than models may take: whoever comes then is not loaded. */
export function checkGpuLimit(placement: Placement, limit: GpuLimit | undefined): void {
  if (limit === undefined || placement.kind !== 'KIND_GPU') return
  const fraction = limit.fractions.get(placement.device)
  if (fraction === undefined) return
  const memory = limit.memory(placement.device)
  if (memory === undefined || memory.used <= memory.total * fraction) return
  throw new ServerError(
    'UNAVAILABLE',
    `can not create model '${placement.name}': memory limit set for GPU ${placement.device} has exceeded, model loading is rejected.`,
  )
}
