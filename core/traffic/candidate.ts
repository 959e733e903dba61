import type { ServedModel } from '../server-types.ts'

/** A version that may be chosen. */
export interface Candidate {
  readonly model: ServedModel
  /** Above 0. */
  readonly weight: number
}
