import type { Comparison } from './compare-outputs.ts'
import type { DifferenceFigures, ShadowFigures, ShadowOutcome } from './types.ts'

/** Upper bounds of the histogram of differences; one more counts what lies beyond. */
export const DIFFERENCE_BOUNDS: readonly number[] = [
  0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000,
]

/** What became of the copies for one version. */
export class ShadowRecord implements ShadowFigures {
  readonly version: number
  readonly outcomes: Record<ShadowOutcome, number> = { match: 0, differ: 0, failed: 0, dropped: 0 }
  readonly difference: DifferenceFigures & { counts: number[]; sum: number; count: number } = {
    counts: new Array<number>(DIFFERENCE_BOUNDS.length + 1).fill(0),
    sum: 0,
    count: 0,
  }
  readonly largest: Map<string, number> = new Map()

  constructor(version: number) {
    this.version = version
  }

  count(outcome: ShadowOutcome): void {
    this.outcomes[outcome]++
  }

  compared({ equal, difference, byOutput }: Comparison): void {
    this.count(equal ? 'match' : 'differ')
    for (const [output, apart] of byOutput) {
      if (apart > (this.largest.get(output) ?? -1)) this.largest.set(output, apart)
    }
    if (Number.isNaN(difference)) return
    const bucket = DIFFERENCE_BOUNDS.findIndex((bound) => difference <= bound)
    const at = bucket < 0 ? DIFFERENCE_BOUNDS.length : bucket
    const { counts } = this.difference
    counts[at] = (counts[at] as number) + 1
    this.difference.sum += difference
    this.difference.count++
  }
}
