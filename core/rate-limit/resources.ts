import type { RateLimiter as InstanceLimits } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import type { RateResource } from '../server-options.ts'

/** One resource of one device, or of all of them. */
interface Resource {
  readonly name: string
  /** null = global. */
  readonly device: number | null
  limit: number
  used: number
  /** The round in which somebody who goes first was found waiting for it. */
  claimed: number
  /** How much each instance in service needs. */
  readonly needs: Set<Need>
}

/** What one instance takes of one resource while it runs. */
export interface Need {
  readonly resource: Resource
  readonly count: number
}

/** How much there is of everything, and who has it. Without explicit counts there is as much as the largest need. */
export class Resources {
  readonly #explicit: readonly RateResource[]
  readonly #byKey = new Map<string, Resource>()
  #round = 0

  constructor(explicit: readonly RateResource[]) {
    this.#explicit = explicit
  }

  /** Counts an instance in. Throws INVALID_ARG, and counts nothing, when it could never run. */
  add(limits: InstanceLimits | undefined, device: number): readonly Need[] {
    const needs = this.#needsOf(limits, device)
    for (const need of needs) need.resource.needs.add(need)
    try {
      for (const { resource, count } of needs) this.#checkCount(resource, count)
      for (const { resource } of needs) this.#checkKind(resource)
    } catch (error) {
      this.remove(needs)
      throw error
    }
    for (const { resource } of needs) this.#setLimit(resource)
    return needs
  }

  /** Counts an instance out that holds nothing. */
  remove(needs: readonly Need[]): void {
    for (const need of needs) {
      const { resource } = need
      resource.needs.delete(need)
      if (resource.needs.size === 0) this.#byKey.delete(keyOf(resource))
      else this.#setLimit(resource)
    }
  }

  /** Begins a round of {@link take}: who asks first goes first. */
  begin(): void {
    this.#round++
  }

  /** All or nothing. What was refused once in a round is kept for who was refused: nobody overtakes on it. */
  take(needs: readonly Need[]): boolean {
    let free = true
    for (const { resource, count } of needs) {
      if (resource.claimed === this.#round || resource.used + count > resource.limit) free = false
    }
    for (const { resource, count } of needs) {
      if (free) resource.used += count
      else resource.claimed = this.#round
    }
    return free
  }

  give(needs: readonly Need[]): void {
    for (const { resource, count } of needs) resource.used -= count
  }

  #needsOf(limits: InstanceLimits | undefined, device: number): Need[] {
    const counts = new Map<Resource, number>()
    for (const { name = '', global = false, count = 0 } of limits?.resources ?? []) {
      counts.set(this.#find(name, global ? null : device), count)
    }
    return [...counts].map(([resource, count]) => ({ resource, count }))
  }

  #find(name: string, device: number | null): Resource {
    const key = keyOf({ name, device })
    let resource = this.#byKey.get(key)
    if (resource === undefined) {
      resource = { name, device, limit: 0, used: 0, claimed: 0, needs: new Set() }
      this.#byKey.set(key, resource)
    }
    return resource
  }

  #setLimit(resource: Resource): void {
    let most = 0
    for (const { count } of resource.needs) most = Math.max(most, count)
    resource.limit = this.#explicit.length > 0 ? this.#available(resource) : most
  }

  /** Once any count is given, what has none is not there. */
  #available({ name, device }: Resource): number {
    let most = 0
    for (const one of this.#explicit) {
      const here = device === null || one.device === undefined || one.device === device
      if (one.name === name && here) most = Math.max(most, one.count)
    }
    return most
  }

  #checkCount(resource: Resource, count: number): void {
    if (this.#explicit.length === 0) return
    const available = this.#available(resource)
    if (available >= count) return
    throw new ServerError(
      'INVALID_ARG',
      `Resource count for "${resource.name}" is limited to ${available} which will prevent scheduling of one or more model instances, the minimum required count is ${count}`,
    )
  }

  #checkKind({ name, device }: Resource): void {
    for (const other of this.#byKey.values()) {
      if (other.name !== name || (other.device === null) === (device === null)) continue
      throw new ServerError(
        'INVALID_ARG',
        `Resource "${name}" is present as both global and device-specific resource in the model configuration.`,
      )
    }
  }
}

/** Several counts of one resource on one device: the smallest counts. */
export function smallestCounts(given: readonly RateResource[]): readonly RateResource[] {
  const kept = new Map<string, RateResource>()
  for (const one of given) {
    const key = `${one.device ?? ''}\0${one.name}`
    const before = kept.get(key)
    if (before === undefined || before.count > one.count) kept.set(key, one)
  }
  return [...kept.values()]
}

function keyOf({ name, device }: { name: string; device: number | null }): string {
  return `${device ?? ''}\0${name}`
}
