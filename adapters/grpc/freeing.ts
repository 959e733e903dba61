import type { InferResponse } from '../../core/infer.ts'
import type { RegionLease } from '../../core/shared-memory/types.ts'

/** To be called once nothing reads the response any more, nor the inputs that it may be made of. */
export function freeing(
  { release }: InferResponse,
  lease: RegionLease | null,
): (() => void) | undefined {
  if (lease === null) return release
  return () => {
    release?.()
    lease.close(true)
  }
}
