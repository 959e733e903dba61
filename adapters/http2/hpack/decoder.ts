import { BlockMemo } from './block-memo.ts'
import { BlockReader } from './block-reader.ts'
import { DynamicTable, FIELD_OVERHEAD } from './dynamic-table.ts'
import { HpackError } from './error.ts'
import { HeaderList } from './header-list.ts'
import { STATIC_COUNT, STATIC_NAMES, STATIC_VALUES } from './static-table.ts'

export { HpackError } from './error.ts'
export { HeaderList } from './header-list.ts'

export interface HpackDecoderOptions {
  /** The SETTINGS_HEADER_TABLE_SIZE that was announced: the largest size the peer may choose. */
  readonly maxTableBytes: number
  /** Octets of a list, name + value + 32 each; fields beyond are dropped. */
  readonly maxListBytes: number
  /** Fields of a list; more are dropped. */
  readonly maxFields: number
}

/** Decodes the header blocks of one connection, in their order (RFC 7541). */
export class HpackDecoder {
  readonly #maxTableBytes: number
  readonly #maxListBytes: number
  readonly #maxFields: number
  readonly #table = new DynamicTable()
  readonly #reader = new BlockReader()
  readonly #memo = new BlockMemo()
  #fields: string[] = []
  #count = 0
  #bytes = 0

  constructor(options: HpackDecoderOptions) {
    this.#maxTableBytes = options.maxTableBytes
    this.#maxListBytes = options.maxListBytes
    this.#maxFields = options.maxFields
  }

  /**
   * Decodes a whole block (HEADERS and its CONTINUATIONs joined). A block that changed nothing in the table and comes again
   * gives the same object again. Throws {@link HpackError}, after which the decoder must not be used.
   */
  decode(block: Uint8Array): HeaderList {
    const known = this.#memo.find(block)
    if (known !== null) return known
    const changes = this.#table.changes
    this.#fields = []
    this.#count = 0
    this.#bytes = 0
    this.#reader.open(block)
    this.#sizeUpdates()
    while (!this.#reader.ended) this.#field()
    this.#reader.close()
    const tooLarge = this.#bytes > this.#maxListBytes || this.#count > this.#maxFields
    const list = new HeaderList(this.#fields, this.#bytes, tooLarge)
    if (this.#table.changes !== changes) this.#memo.clear()
    else if (!tooLarge) this.#memo.add(block, list)
    return list
  }

  #sizeUpdates(): void {
    const reader = this.#reader
    while (!reader.ended && (reader.peek() & 0xe0) === 0x20) {
      const size = reader.integer(0x1f)
      if (size > this.#maxTableBytes) {
        throw new HpackError(`a table size of ${size} is over the limit of ${this.#maxTableBytes}`)
      }
      this.#table.resize(size)
    }
  }

  #field(): void {
    const reader = this.#reader
    const first = reader.peek()
    if (first >= 0x80) {
      const index = reader.integer(0x7f)
      if (index === 0) throw new HpackError('there is no field with index 0')
      this.#add(this.#nameAt(index), this.#valueAt(index))
    } else if (first >= 0x40) {
      const name = this.#name(reader.integer(0x3f))
      const value = reader.string()
      this.#table.insert(name, value)
      this.#add(name, value)
    } else if (first >= 0x20) {
      throw new HpackError('a table size update stands after a field')
    } else {
      const name = this.#name(reader.integer(0x0f))
      this.#add(name, reader.string())
    }
  }

  #add(name: string, value: string): void {
    this.#bytes += name.length + value.length + FIELD_OVERHEAD
    this.#count++
    if (this.#bytes <= this.#maxListBytes && this.#count <= this.#maxFields) {
      this.#fields.push(name, value)
    }
  }

  #name(index: number): string {
    return index === 0 ? this.#reader.string() : this.#nameAt(index)
  }

  #nameAt(index: number): string {
    if (index > STATIC_COUNT + this.#table.count) {
      throw new HpackError(`there is no field with index ${index}`)
    }
    if (index > STATIC_COUNT) return this.#table.name(index - STATIC_COUNT - 1)
    return STATIC_NAMES[index] ?? ''
  }

  /** After {@link #nameAt}, which checked the index. */
  #valueAt(index: number): string {
    if (index > STATIC_COUNT) return this.#table.value(index - STATIC_COUNT - 1)
    return STATIC_VALUES[index] ?? ''
  }
}
