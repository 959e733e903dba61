/** `ci` fits into a pull request (all drills in five minutes), `long` is for a night. */
export type Profile = 'ci' | 'long'

/** One measured number beside what was promised. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly limit: number
  /** Whether the value has to be at least the limit; otherwise at most. */
  readonly least: boolean
}

export interface DrillContext {
  readonly profile: Profile
  /** Start of every random choice; printed, so that a run can be repeated. */
  readonly seed: number
  /** An empty folder of the drill's own; removed afterwards. */
  readonly folder: string
  /** Shows how far the drill is. */
  progress(text: string): void
  /** Keeps a line for the report: what exactly was wrong. */
  note(text: string): void
}

/** A promise of this server, and the exercise that would break it. */
export interface Drill {
  readonly name: string
  readonly promise: string
  run(context: DrillContext): Promise<readonly Figure[]>
}

export const atMost = (name: string, value: number, limit: number, unit = ''): Figure => ({
  name,
  value,
  unit,
  limit,
  least: false,
})

export const atLeast = (name: string, value: number, limit: number, unit = ''): Figure => ({
  name,
  value,
  unit,
  limit,
  least: true,
})

/** Whether the promise was kept; a figure that is no number was not measured, so it was not. */
export function kept({ value, limit, least }: Figure): boolean {
  return least ? value >= limit : value <= limit
}
