import { badModel } from './bad-model.ts'

/** Objects and lists in one another; XGBoost needs 8. */
export const MAX_UBJSON_DEPTH = 64

/**
 * Reads a UBJSON document (ubjson.org, draft 12): objects without a prototype, typed lists of numbers as typed arrays. Throws
 * where it ends early, or says what it cannot hold.
 */
export function parseUbjson(bytes: Uint8Array): unknown {
  return new UbjsonReader(bytes).read()
}

class UbjsonReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #decoder = new TextDecoder()
  #at = 0
  #depth = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  read(): unknown {
    return this.#value(this.#marker())
  }

  #value(marker: string): unknown {
    switch (marker) {
      case '{':
        return this.#nested(() => this.#object())
      case '[':
        return this.#nested(() => this.#list())
      case 'S':
        return this.#text()
      case 'H':
        return Number(this.#text())
      case 'C':
        return String.fromCharCode(this.#number('U'))
      case 'Z':
        return null
      case 'T':
        return true
      case 'F':
        return false
      default:
        return this.#number(marker)
    }
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > MAX_UBJSON_DEPTH) throw badModel('UBJSON nested too deeply')
    const value = read()
    this.#depth--
    return value
  }

  #object(): Record<string, unknown> {
    const { type, count } = this.#header()
    const fields: Record<string, unknown> = Object.create(null)
    for (let i = 0; count < 0 ? this.#peek() !== '}' : i < count; i++) {
      const key = this.#text()
      fields[key] = this.#value(type || this.#marker())
    }
    if (count < 0) this.#at++
    return fields
  }

  #list(): unknown {
    const { type, count } = this.#header()
    if (type !== '' && NUMBERS[type] !== undefined) return this.#numbers(type, count)
    const list: unknown[] = []
    for (let i = 0; count < 0 ? this.#peek() !== ']' : i < count; i++) {
      list.push(this.#value(type || this.#marker()))
    }
    if (count < 0) this.#at++
    return list
  }

  /** Type '' = each element has its own; count -1 = until the end mark. */
  #header(): { type: string; count: number } {
    let type = ''
    if (this.#peek() === '$') {
      this.#at++
      type = this.#marker()
      // Elements without a single byte could be as many as the count can say.
      if ('ZTFN'.includes(type)) throw badModel('a UBJSON list of nothing')
      if (this.#peek() !== '#') throw badModel('a UBJSON list with a type and no count')
    }
    if (this.#peek() !== '#') return { type, count: -1 }
    this.#at++
    return { type, count: this.#count() }
  }

  #numbers(type: string, count: number): ArrayLike<number> {
    const { size, read, list } = NUMBERS[type] as NumberType
    this.#need(count * size)
    const numbers = list(count)
    for (let i = 0; i < count; i++) numbers[i] = read(this.#view, this.#at + i * size)
    this.#at += count * size
    return numbers
  }

  #text(): string {
    const length = this.#count()
    this.#need(length)
    this.#at += length
    return this.#decoder.decode(this.#bytes.subarray(this.#at - length, this.#at))
  }

  /** A length: never more than there are bytes left. */
  #count(): number {
    const count = this.#number(this.#marker())
    if (!(count >= 0 && Number.isSafeInteger(count))) throw badModel(`a UBJSON length of ${count}`)
    this.#need(count)
    return count
  }

  #number(marker: string): number {
    const type = NUMBERS[marker]
    if (type === undefined) throw badModel(`no UBJSON: unknown type at byte ${this.#at - 1}`)
    this.#need(type.size)
    this.#at += type.size
    return type.read(this.#view, this.#at - type.size)
  }

  #marker(): string {
    const marker = this.#peek()
    this.#at++
    return marker
  }

  #peek(): string {
    // No-ops may stand anywhere.
    while (this.#bytes[this.#at] === NO_OP) this.#at++
    this.#need(1)
    return String.fromCharCode(this.#bytes[this.#at] as number)
  }

  #need(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) throw badModel('the UBJSON ends early')
  }
}

const NO_OP = 0x4e

interface NumberType {
  readonly size: number
  read(view: DataView, at: number): number
  list(count: number): { [index: number]: number; readonly length: number }
}

const NUMBERS: Readonly<Partial<Record<string, NumberType>>> = {
  i: { size: 1, read: (view, at) => view.getInt8(at), list: (count) => new Int8Array(count) },
  U: { size: 1, read: (view, at) => view.getUint8(at), list: (count) => new Uint8Array(count) },
  I: { size: 2, read: (view, at) => view.getInt16(at), list: (count) => new Int16Array(count) },
  l: { size: 4, read: (view, at) => view.getInt32(at), list: (count) => new Int32Array(count) },
  L: {
    size: 8,
    read: (view, at) => Number(view.getBigInt64(at)),
    list: (count) => new Float64Array(count),
  },
  d: { size: 4, read: (view, at) => view.getFloat32(at), list: (count) => new Float32Array(count) },
  D: { size: 8, read: (view, at) => view.getFloat64(at), list: (count) => new Float64Array(count) },
}
