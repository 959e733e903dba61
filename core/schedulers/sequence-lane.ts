import type { Instance } from '../backend/types.ts'
import type { InferRequest } from '../infer.ts'
import type { SchedulerOptions } from './parts.ts'
import type { Sequence } from './sequence.ts'
import type { SequenceSteps } from './sequence-steps.ts'

/** What a lane asks of the scheduler. */
export interface SequenceDesk {
  /** True once the scheduler only finishes what it has. */
  readonly draining: boolean
  /** The next request of a sequence that runs none, as a step ready to be executed. */
  take(sequence: Sequence): InferRequest
  /** The step was answered, or has to run again. May give the slot to another sequence. */
  done(sequence: Sequence): void
  /** The step was cancelled before it ran: without it the sequence cannot go on. */
  broken(sequence: Sequence): void
  /** Asks for `ring` at `atNs`, or earlier. */
  wakeAt(atNs: number): void
}

export interface SequenceLaneOptions {
  readonly parts: SchedulerOptions
  readonly instance: Instance
  readonly desk: SequenceDesk
  readonly steps: SequenceSteps
}
