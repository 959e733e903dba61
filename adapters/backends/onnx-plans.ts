/** Shapes an instance keeps buffers for; the longest unused goes first. */
export const MAX_PLANS = 64
/** Bytes of buffers that the plans of one instance may keep, the one in use aside. */
export const MAX_PLAN_BYTES: number = 256 * 1024 * 1024

/** What runs of one joined shape need, kept between them. */
export interface KeptPlan {
  /** Of buffers that it may hold while idle. */
  readonly bytes: number
  close(): void
}

/** The plans of one instance by key, least recently used first. */
export class Plans<Plan extends KeptPlan> {
  readonly #plans: Map<string, Plan> = new Map()

  find(key: string, create: () => Plan): Plan {
    const found = this.#plans.get(key)
    if (found !== undefined) {
      this.#plans.delete(key)
      this.#plans.set(key, found)
      return found
    }
    const plan = create()
    this.#plans.set(key, plan)
    this.#trim(plan)
    return plan
  }

  close(): void {
    for (const plan of this.#plans.values()) plan.close()
    this.#plans.clear()
  }

  /** Runs between batches only, so no plan but `keep` can be in use. */
  #trim(keep: Plan): void {
    let bytes = 0
    for (const plan of this.#plans.values()) bytes += plan.bytes
    for (const [key, plan] of this.#plans) {
      if (this.#plans.size <= MAX_PLANS && bytes <= MAX_PLAN_BYTES) return
      if (plan === keep) return
      bytes -= plan.bytes
      this.#plans.delete(key)
      plan.close()
    }
  }
}
