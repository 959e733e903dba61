/** A copy of some requests for a version whose answers nobody gets. */
export interface ShadowPolicy {
  readonly version: number
  /** Share of the requests that are copied, above 0 and at most 1. */
  readonly fraction: number
}

/** How requests that name no version are spread over the versions of a model. */
export interface TrafficPolicy {
  /** By version; a share is a weight's part of the sum of those that serve. Empty = everything to the highest version. */
  readonly weights: ReadonlyMap<number, number>
  /** Requests that have the same value of this parameter go to the same version; '' = no parameter counts. */
  readonly stickyBy: string
  readonly shadow: ShadowPolicy | null
}

/** Where a policy comes from: the model's config, the API, or nowhere. */
export type TrafficSource = 'config' | 'api' | 'none'

/** What became of the copies of one model for one shadow version. */
export interface ShadowFigures {
  readonly version: number
  /** Answered alike, answered otherwise, not answered, not even sent because too many were in flight. */
  readonly outcomes: Readonly<Record<ShadowOutcome, number>>
  readonly difference: DifferenceFigures
  /** Largest absolute difference of each output whose values are numbers. */
  readonly largest: ReadonlyMap<string, number>
}

export type ShadowOutcome = 'match' | 'differ' | 'failed' | 'dropped'

/** Largest absolute difference of each compared answer, counted by size. */
export interface DifferenceFigures {
  /** One more than {@link DIFFERENCE_BOUNDS}; not cumulative. */
  readonly counts: readonly number[]
  readonly sum: number
  readonly count: number
}

/** One version as it is routed to. */
export interface TrafficVersion {
  readonly version: number
  readonly weight: number
  readonly ready: boolean
}

/** The state of one model. */
export interface TrafficState {
  readonly model: string
  readonly source: TrafficSource
  readonly policy: TrafficPolicy
  /** Versions that serve or have a weight, ascending. */
  readonly versions: readonly TrafficVersion[]
  readonly shadows: readonly ShadowFigures[]
}

/** Reads and changes how traffic is spread. All errors are ServerError. */
export interface TrafficControl {
  /** Throws NOT_FOUND for a model that does not serve. */
  get(model: string): TrafficState
  /** Replaces the policy until {@link reset}. Throws NOT_FOUND, or INVALID_ARG for versions that do not serve. */
  set(model: string, policy: TrafficPolicy): TrafficState
  /** Back to what the model's config says. Throws NOT_FOUND for a model that does not serve. */
  reset(model: string): TrafficState
  /** Every model that has a policy, by name. */
  all(): readonly TrafficState[]
}
