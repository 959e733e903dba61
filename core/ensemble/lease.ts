import type { InferResponse } from '../infer.ts'

/** The memory of one step's response: given back when its last reader is done with it. */
export class Lease {
  readonly #release: (() => void) | undefined
  /** Leases of inputs in whose memory the response lies. */
  readonly #sources: readonly Lease[]
  #users = 1

  constructor(release: (() => void) | undefined, sources: readonly Lease[]) {
    this.#release = release
    this.#sources = sources
    for (const source of sources) source.take()
  }

  take(): void {
    this.#users++
  }

  /** As often as it was taken, and once for whoever made it. */
  drop(): void {
    if (--this.#users !== 0) return
    this.#release?.()
    for (const source of this.#sources) source.drop()
  }
}

/** A lease, and the buffer of a tensor that lies in its memory. */
export interface Held {
  readonly lease: Lease
  readonly buffer: ArrayBufferLike
}

/**
 * The lease of `response`, computed from inputs that hold `held`; null where nothing has to be given back. A model that
 * passes an input on (identity, a reshape) answers with a view on it: then the response holds the input's memory too.
 */
export function leaseOf(response: InferResponse, held: readonly Held[]): Lease | null {
  const sources: Lease[] = []
  for (const { lease, buffer } of held) {
    if (response.outputs.some((output) => output.data.buffer === buffer)) sources.push(lease)
  }
  if (sources.length === 0 && response.release === undefined) return null
  return new Lease(response.release, sources)
}
