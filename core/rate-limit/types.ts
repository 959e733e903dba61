import type { Instance } from '../backend/types.ts'
import type { RateLimiter as InstanceLimits } from '../config/types.ts'

/** An instance before it is limited, and what its group says about that. */
export interface LimitedInstance {
  readonly instance: Instance
  readonly device: number
  /** Absent = needs nothing, priority 1. */
  readonly limits?: InstanceLimits | undefined
}

/** Decides which instances of the whole server run, and in which order. */
export interface RateLimiter {
  /**
   * What a model's scheduler runs instead of its instances: batches wait there until the instance's resources are free.
   * With `bound` each stands for its own instance (state lives there), else for the one whose turn it is. Closing one closes
   * an instance, and what it needed no longer counts. Throws INVALID_ARG with Triton's texts when the resources can never
   * be had; nothing is kept then.
   */
  seats(members: readonly LimitedInstance[], bound: boolean): readonly Instance[]
}
