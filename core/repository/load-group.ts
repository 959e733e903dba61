import { Dependencies } from './dependencies.ts'

/**
 * Loads that belong to one operation: each model once, the models an ensemble is made of before the ensemble. `bring`
 * starts the load of a composing model that nobody asked for; undefined where the operation leaves such models alone.
 */
export class LoadGroup {
  readonly #bring: ((name: string) => Promise<void>) | undefined
  readonly #jobs = new Map<string, Promise<void>>()
  readonly #waits = new Dependencies()

  constructor(bring?: (name: string) => Promise<void>) {
    this.#bring = bring
  }

  add(name: string, job: Promise<void>): void {
    this.#jobs.set(name, job)
  }

  /** Whether the model is loaded by this operation: it finds out by itself what became of its steps. */
  has(name: string): boolean {
    return this.#jobs.has(name)
  }

  /** Waits until `models`, that `name` is made of, are loaded as far as they can be. Never rejects. */
  async ready(name: string, models: readonly string[]): Promise<void> {
    this.#waits.set(name, models)
    // Nobody waits for itself: what cannot be loaded for that reason is reported by whoever checks it.
    if (this.#waits.circle(name) !== undefined) return
    await Promise.allSettled(models.map((model) => this.#load(model)))
  }

  #load(name: string): Promise<void> | undefined {
    const known = this.#jobs.get(name)
    if (known !== undefined || this.#bring === undefined) return known
    const job = this.#bring(name)
    this.#jobs.set(name, job)
    return job
  }
}
