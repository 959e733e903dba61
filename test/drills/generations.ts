import type { Reply } from './client.ts'
import { answered, type Inference } from './inference.ts'
import type { Affine } from './models.ts'

const GENERATION = 1n << 20n

/** The model of a generation: it adds the generation's number, far above what serial numbers differ by. */
export const generationModel = (generation: number): Affine => ({
  scale: 1n,
  offset: BigInt(generation) * GENERATION,
})

/** Which generation gave this answer; text when the answer is none that one generation could give. */
export function generationOf(asked: Inference, reply: Reply): number | string {
  const values = answered(asked, reply)
  if (typeof values === 'string') return values
  const added = values.map((value, i) => BigInt.asIntN(64, value - (asked.values[i] ?? 0n)))
  const first = added[0] ?? 0n
  if (first % GENERATION !== 0n || added.some((one) => one !== first)) {
    return `${asked.id}: parts of different generations: ${added.join()}`
  }
  return Number(first / GENERATION)
}

/**
 * A register as seen by several clients: loads write it, answers read it. A read must not be older than what was
 * loaded when it began, older than what its client has seen, or newer than what was being loaded when it ended.
 */
export class Generations {
  /** The newest that is known to be loaded, and the newest that may be. */
  #loaded = 1
  #loading = 1
  readonly #seenBy: number[]
  readonly #all = new Set<number>()

  constructor(clients: number) {
    this.#seenBy = new Array<number>(clients).fill(0)
  }

  loading(generation: number): void {
    this.#loading = generation
  }

  loaded(generation: number): void {
    this.#loaded = generation
  }

  /** A read begins: the oldest generation it may return. */
  begin(client: number): number {
    return Math.max(this.#loaded, this.#seenBy[client] ?? 0)
  }

  /** A read ended with `generation`: '' or what is wrong with it. */
  end(client: number, least: number, generation: number): string {
    this.#all.add(generation)
    if (generation < least) return `generation ${generation} after ${least}`
    if (generation > this.#loading) return `generation ${generation} before it was loaded`
    this.#seenBy[client] = generation
    return ''
  }

  /** How many different generations have answered. */
  get seen(): number {
    return this.#all.size
  }
}
