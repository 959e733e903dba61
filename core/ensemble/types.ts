import type { ServedModel } from '../server-types.ts'

/** A model as a step uses it. */
export interface StepModel extends ServedModel {
  /**
   * Keeps the model open: it goes on taking requests after it was replaced or unloaded, until it is {@link drop}ped as
   * often as it was held. To be called in the turn in which it was found.
   */
  hold(): void
  drop(): void
  /** What its answers belong to just now, in the response cache; null or absent = nobody can tell. */
  identity?(): string | null
}

/** Where ensembles find the models of their steps. */
export interface StepModels {
  /** Changes whenever {@link find} may answer differently. */
  readonly generation: number
  /** `version` '' = the highest that serves. Throws NOT_FOUND or UNAVAILABLE with Triton's text. */
  find(name: string, version: string): StepModel
}
