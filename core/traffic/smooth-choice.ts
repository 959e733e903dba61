import type { Candidate } from './candidate.ts'

/**
 * Chooses by turns so that every stretch of requests has the shares of the weights as nearly as whole requests can: 90 and
 * 10 is every tenth, not ten of a hundred in a row. What a version has got too much or too little is kept when weights
 * change, so that shares also hold over many small changes.
 */
export class SmoothChoice {
  #candidates: readonly Candidate[] = []
  #shares: Float64Array = new Float64Array(0)
  #credits: Float64Array = new Float64Array(0)

  /** `candidates` have weights above 0. */
  set(candidates: readonly Candidate[]): void {
    let sum = 0
    for (const { weight } of candidates) sum += weight
    const credits = new Float64Array(candidates.length)
    for (const [i, { model }] of candidates.entries()) {
      const before = this.#candidates.findIndex((one) => one.model.version === model.version)
      credits[i] = before < 0 ? 0 : (this.#credits[before] as number)
    }
    // Who left took his credit along: without this a newcomer would start ahead of or behind everybody.
    let mean = 0
    for (const credit of credits) mean += credit / credits.length
    for (let i = 0; i < credits.length; i++) credits[i] = (credits[i] as number) - mean
    this.#candidates = candidates
    this.#shares = Float64Array.from(candidates, ({ weight }) => weight / sum)
    this.#credits = credits
  }

  /** undefined where there is nothing to choose from. */
  next(): Candidate | undefined {
    const credits = this.#credits
    const shares = this.#shares
    let best = 0
    for (let i = 0; i < credits.length; i++) {
      credits[i] = (credits[i] as number) + (shares[i] as number)
      if ((credits[i] as number) > (credits[best] as number)) best = i
    }
    if (credits.length > 0) credits[best] = (credits[best] as number) - 1
    return this.#candidates[best]
  }
}
