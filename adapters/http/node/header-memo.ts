import type { InferResponse } from '../../../core/infer.ts'
import type { ResponseFormat } from '../../../core/protocol/rest/types.ts'
import type { ServedModel } from '../../../core/server-types.ts'
import type { RegionRef } from '../../../core/shared-memory/types.ts'
import { type Datatype, sameShape, type Tensor } from '../../../core/tensor.ts'

/** Where one input of a remembered header lies in the binary tail; slots are in the model's order. */
export interface MemoSlot {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  readonly offset: number
  readonly size: number
  /** In shared memory instead. */
  readonly region: RegionRef | null
}

/** The JSON part of a reply whose outputs are all binary or in shared memory; it depends on the outputs' shapes alone. */
export interface ReplyTemplate {
  readonly names: readonly string[]
  readonly shapes: readonly (readonly number[])[]
  readonly sizes: readonly number[]
  /** The reply's JSON for a request without id; an id goes in front of its first member. */
  readonly json: Buffer
  readonly tailBytes: number
  /** Where each output goes to instead of into the reply; null = all of them go into the reply. */
  readonly regions: readonly (RegionRef | null)[] | null
}

/** What is known about one header of one model: it was parsed and checked once, by its bytes. */
export interface MemoEntry {
  readonly model: ServedModel
  readonly slots: readonly MemoSlot[]
  readonly tailBytes: number
  readonly batchSize: number
  readonly outputs: readonly string[] | null
  /** Regions that outputs go to. */
  readonly outputRegions: readonly RegionRef[]
  /** Any tensor is in a region: the request needs a lease. */
  readonly leases: boolean
  readonly format: ResponseFormat
  readonly priority: number
  readonly timeoutUs: number
  template: ReplyTemplate | null
}

/** Longest header that is remembered, bytes. */
export const MEMO_HEADER_BYTES = 4096
/** Headers remembered per URL; the oldest goes first. Clients send few. */
export const MEMO_ENTRIES = 128

/** Parsed headers by their bytes (read as latin1), for one URL. Bounded; emptied when the models behind it change. */
export class HeaderMemo {
  generation = -1
  readonly #entries = new Map<string, MemoEntry>()

  get(key: string, generation: number): MemoEntry | undefined {
    if (generation !== this.generation) {
      this.#entries.clear()
      this.generation = generation
    }
    return this.#entries.get(key)
  }

  set(key: string, entry: MemoEntry): void {
    if (this.#entries.size >= MEMO_ENTRIES) {
      const oldest = this.#entries.keys().next()
      if (!oldest.done) this.#entries.delete(oldest.value)
    }
    this.#entries.set(key, entry)
  }
}

export function templateFits(template: ReplyTemplate, response: InferResponse): boolean {
  const { outputs } = response
  if (response.parameters !== undefined || outputs.length !== template.shapes.length) return false
  for (let i = 0; i < outputs.length; i++) {
    const output = outputs[i] as Tensor
    if (output.data.length !== template.sizes[i]) return false
    if (output.name !== template.names[i]) return false
    if (!sameShape(output.shape, template.shapes[i] as readonly number[])) return false
  }
  return true
}

/**
 * Splits the id off a JSON header that starts with it, as Triton's clients write it, so that headers which differ in
 * their id alone share an entry. `id` is raw JSON text between its quotes: it can be echoed as it is.
 */
export function splitId(header: string): { readonly key: string; readonly id: string } {
  const start = header.startsWith('{"id":"') ? 7 : header.startsWith('{"id": "') ? 8 : 0
  if (start === 0) return { key: header, id: '' }
  const end = header.indexOf('"', start)
  if (end < 0) return { key: header, id: '' }
  for (let i = start; i < end; i++) {
    const code = header.charCodeAt(i)
    // Escapes and control characters take the slow path; bytes above ASCII must be validated there, too.
    if (code === 0x5c || code < 0x20 || code > 0x7e) return { key: header, id: '' }
  }
  return { key: header.slice(0, start) + header.slice(end), id: header.slice(start, end) }
}
