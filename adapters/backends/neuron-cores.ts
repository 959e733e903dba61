/** What one core did; plain numbers that a scrape reads. */
export interface CoreFigures {
  executions: number
  failures: number
  busyNs: number
}

/** The cores of this process: who is on them, and what they did. */
export class NeuronCores {
  readonly figures: readonly CoreFigures[]
  readonly #models: number[]

  constructor(count: number) {
    this.figures = Array.from({ length: count }, () => ({ executions: 0, failures: 0, busyNs: 0 }))
    this.#models = new Array(count).fill(0)
  }

  get count(): number {
    return this.#models.length
  }

  /** Models on a core. */
  models(core: number): number {
    return this.#models[core] ?? 0
  }

  /** Cores in the order in which a model without a preference should try them: those with the fewest models first. */
  byUse(): number[] {
    return [...this.#models.keys()].sort((a, b) => this.models(a) - this.models(b) || a - b)
  }

  /** Counts a model on `cores` cores from `core` on; the result takes it off again, once. */
  occupy(core: number, cores: number): () => void {
    const end = Math.min(core + cores, this.count)
    for (let i = core; i < end; i++) this.#models[i] = this.models(i) + 1
    let gone = false
    return () => {
      if (gone) return
      gone = true
      for (let i = core; i < end; i++) this.#models[i] = this.models(i) - 1
    }
  }
}
