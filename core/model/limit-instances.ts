import type { Instance } from '../backend/types.ts'
import type { ModelConfig } from '../config/types.ts'
import type { RateLimiter } from '../rate-limit/types.ts'
import type { PlannedInstance } from './instance-group.ts'

/**
 * Puts the limiter before every instance that serves; passive ones stay as they are. A model that keeps state on its
 * instances, or whose answers go on after its batches, keeps to the instance it was given.
 */
export function limitInstances(options: {
  /** undefined = off: the instances themselves. */
  readonly limiter: RateLimiter | undefined
  readonly config: ModelConfig
  readonly planned: readonly PlannedInstance[]
  readonly instances: readonly Instance[]
}): readonly Instance[] {
  const { limiter, config, planned, instances } = options
  if (limiter === undefined) return instances
  const bound =
    config.sequence_batching !== undefined || config.model_transaction_policy?.decoupled === true
  const serving = planned.flatMap(({ passive, placement, limits }, i) =>
    passive ? [] : [{ instance: instances[i] as Instance, device: placement.device, limits }],
  )
  const seats = [...limiter.seats(serving, bound)]
  return instances.map((instance, i) =>
    planned[i]?.passive === true ? instance : (seats.shift() as Instance),
  )
}
