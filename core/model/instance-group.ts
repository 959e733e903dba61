import type { Backend, Placement } from '../backend/types.ts'
import type { InstanceGroup, ModelConfig, RateLimiter } from '../config/types.ts'
import { ServerError } from '../errors.ts'

/** Instances one model version may have, all groups together. */
export const MAX_INSTANCES = 1_024

/** One instance to create. */
export interface PlannedInstance {
  readonly placement: Placement
  /** Loaded, but the scheduler gives it nothing (`passive: true`). */
  readonly passive: boolean
  /** What its group says about rate limiting; absent = nothing. */
  readonly limits?: RateLimiter | undefined
}

/** Every instance that a normalized config's instance groups ask for, in order. Throws INVALID_ARG for too many. */
export function planInstances(config: ModelConfig, backend: Backend): readonly PlannedInstance[] {
  const planned: PlannedInstance[] = []
  for (const group of config.instance_group ?? []) {
    for (const placement of placementsOf(group, backend, config.name ?? '')) {
      planned.push({ placement, passive: group.passive ?? false, limits: group.rate_limiter })
      if (planned.length > MAX_INSTANCES) {
        throw new ServerError(
          'INVALID_ARG',
          `instance_group of model '${config.name ?? ''}' asks for more than ${MAX_INSTANCES} instances`,
        )
      }
    }
  }
  return planned
}

function* placementsOf(
  group: InstanceGroup,
  backend: Backend,
  model: string,
): Generator<Placement> {
  const name = group.name ?? model
  const count = group.count ?? 1
  const gpus = group.gpus ?? []
  const kind =
    group.kind === 'KIND_AUTO' || group.kind === undefined
      ? (backend.gpus?.length ?? 0) > 0
        ? 'KIND_GPU'
        : 'KIND_CPU'
      : group.kind
  if (kind !== 'KIND_GPU') {
    for (let i = 0; i < count; i++) yield { name: `${name}_${i}`, kind, device: 0 }
    return
  }
  // A GPU group that names no device means all of them; where there is none, device 0 lets the backend say so.
  const devices = gpus.length > 0 ? gpus : backend.gpus?.length ? backend.gpus : [0]
  for (const device of devices) {
    for (let i = 0; i < count; i++) yield { name: `${name}_${i}_gpu${device}`, kind, device }
  }
}
