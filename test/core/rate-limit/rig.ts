import type { BatchResult, ExecutionMarks, Instance } from '../../../core/backend/types.ts'
import type { RateLimiter as InstanceLimits } from '../../../core/config/types.ts'
import type { ServerError } from '../../../core/errors.ts'
import { InferRequest } from '../../../core/infer.ts'
import { createRateLimiter } from '../../../core/rate-limit/rate-limiter.ts'
import type { RateLimiter } from '../../../core/rate-limit/types.ts'
import type { RateResource } from '../../../core/server-options.ts'
import {
  createFakeInstance,
  type FakeInstance,
  type FakeInstanceOptions,
} from '../../helpers/fake-backend.ts'
import { createFakeClock, type FakeClock } from '../../helpers/fake-clock.ts'
import { int32 } from '../schedulers/rig.ts'

/** Instances of one model and the seats its scheduler would run. */
export interface Crew {
  readonly instances: readonly FakeInstance[]
  readonly seats: readonly Instance[]
}

export interface RateRig {
  readonly clock: FakeClock
  readonly limiter: RateLimiter
  /** Ids of batches in the order in which they started, whatever the instance. */
  readonly started: readonly string[]
  crew(
    limits: readonly (InstanceLimits & { readonly device?: number })[],
    options?: FakeInstanceOptions & { readonly bound?: boolean },
  ): Crew
}

export function createRateRig(resources: readonly RateResource[] = []): RateRig {
  const clock = createFakeClock()
  const limiter = createRateLimiter({ clock, resources })
  const started: string[] = []
  return {
    clock,
    limiter,
    started,
    crew(limits, options = {}) {
      const instances = limits.map(() => {
        const instance = createFakeInstance({ paused: true, ...options, clock })
        const { execute } = instance
        instance.execute = (batch, marks, done, answers) => {
          started.push(batch.requests[0]?.id ?? '')
          execute.call(instance, batch, marks, done, answers)
        }
        return instance
      })
      const members = instances.map((instance, i) => ({
        instance,
        device: limits[i]?.device ?? 0,
        limits: limits[i],
      }))
      return { instances, seats: limiter.seats(members, options.bound ?? false) }
    },
  }
}

/** `{ resources: [{ name, count }] }` of a group. */
export function needs(counts: Readonly<Record<string, number>>, priority = 0): InstanceLimits {
  const resources = Object.entries(counts).map(([name, count]) => ({ name, count }))
  return priority === 0 ? { resources } : { resources, priority }
}

/** A batch that was handed to a seat, and what came back. */
export interface Execution {
  readonly request: InferRequest
  readonly marks: ExecutionMarks
  readonly results: (BatchResult | ServerError)[]
}

/** `then` runs when the batch is over, as a scheduler's next batch does. */
export function execute(seat: Instance, id: string, then: () => void = () => {}): Execution {
  const request = new InferRequest({ id, inputs: [int32('INPUT0', [1, 1], [1])] }, { answer() {} })
  const execution: Execution = {
    request,
    marks: { startNs: 0, inputEndNs: 0, outputStartNs: 0 },
    results: [],
  }
  seat.execute({ requests: [request], size: 1 }, execution.marks, (result) => {
    execution.results.push(result)
    then()
  })
  return execution
}
