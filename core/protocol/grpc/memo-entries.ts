import type { ServedModel } from '../../server-types.ts'
import type { Datatype } from '../../tensor.ts'
import type { InferScan } from './infer-scan.ts'
import type { GrpcOutput, ResponseMemo } from './types.ts'

/** Longest key that is remembered, bytes. */
export const MEMO_KEY_BYTES = 4096
/** Keys remembered; the oldest goes first. Clients send few. */
export const MEMO_ENTRIES = 512

/** One input, in the model's order. */
export interface MemoSlot {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  /** Which raw tensor. */
  readonly raw: number
  readonly size: number
}

/** What a key means, and what the model's check concluded: good for one generation of the server. */
export interface MemoEntry extends ResponseMemo {
  readonly key: Uint8Array
  readonly generation: number
  readonly model: ServedModel
  readonly decoupled: boolean
  readonly modelName: string
  readonly modelVersion: string
  /** In the model's order. */
  readonly slots: readonly MemoSlot[]
  readonly batchSize: number
  readonly outputNames: readonly string[] | null
  readonly outputs: readonly GrpcOutput[] | null
  readonly priority: number
  readonly timeoutUs: number
  readonly emptyFinal: boolean
}

/** Entries by the hash of their key; of two with the same hash the later stays. Bounded. */
export class MemoEntries {
  readonly #byHash = new Map<number, MemoEntry>()
  #last: MemoEntry | null = null

  get size(): number {
    return this.#byHash.size
  }

  /** The entry for the key that `scan` found in `message`. The one that was used last costs no hash. */
  find(scan: InferScan, message: Uint8Array): MemoEntry | null {
    const last = this.#last
    if (last !== null && scan.matches(message, last.key)) return last
    const entry = this.#byHash.get(scan.hash(message))
    if (entry === undefined || !scan.matches(message, entry.key)) return null
    this.#last = entry
    return entry
  }

  set(hash: number, entry: MemoEntry): void {
    if (this.#byHash.size >= MEMO_ENTRIES && !this.#byHash.has(hash)) {
      const oldest = this.#byHash.keys().next()
      if (!oldest.done) this.#byHash.delete(oldest.value)
    }
    this.#byHash.set(hash, entry)
    this.#last = entry
  }

  clear(): void {
    this.#byHash.clear()
    this.#last = null
  }
}
