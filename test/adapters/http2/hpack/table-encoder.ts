import { STATIC_NAMES, STATIC_VALUES } from '../../../../adapters/http2/hpack/static-table.ts'

/**
 * An encoder with a dynamic table, kept as a plain list and written for its clearness: what the decoder is compared with. It
 * chooses among the forms at random.
 */
export class TableEncoder {
  #entries: [string, string][] = []
  #capacity = 4096
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  randomFields(): string[] {
    const fields: string[] = []
    for (let left = this.#below(8); left > 0; left--) {
      const name =
        this.#random() < 0.3 ? STATIC_NAMES[1 + this.#below(61)]! : `name-${this.#below(20)}`
      fields.push(
        name,
        this.#random() < 0.02 ? 'L'.repeat(this.#below(700)) : `value ${this.#below(10)}`,
      )
    }
    return fields
  }

  encode(fields: readonly string[]): Uint8Array {
    const out: number[] = []
    if (this.#random() < 0.02) {
      this.#capacity = this.#random() < 0.5 ? 4096 : this.#below(4097)
      this.#evict()
      this.#integer(out, 0x20, 0x1f, this.#capacity)
    }
    for (let at = 0; at < fields.length; at += 2) this.#field(out, fields[at]!, fields[at + 1]!)
    return Uint8Array.from(out)
  }

  #field(out: number[], name: string, value: string): void {
    const all = [
      ...STATIC_NAMES.slice(1).map((one, at) => [one, STATIC_VALUES[at + 1]!]),
      ...this.#entries,
    ]
    const whole = all.findIndex(([n, v]) => n === name && v === value) + 1
    if (whole > 0 && this.#random() < 0.9) {
      this.#integer(out, 0x80, 0x7f, whole)
      return
    }
    const named = this.#random() < 0.9 ? all.findIndex(([n]) => n === name) + 1 : 0
    const form = this.#random()
    if (form < 0.6) this.#integer(out, 0x40, 0x3f, named)
    else this.#integer(out, form < 0.8 ? 0x10 : 0, 0x0f, named)
    if (named === 0) this.#string(out, name)
    this.#string(out, value)
    if (form >= 0.6) return
    this.#entries.unshift([name, value])
    this.#evict()
  }

  #evict(): void {
    let bytes = 0
    this.#entries = this.#entries.filter(([name, value]) => {
      bytes += name.length + value.length + 32
      return bytes <= this.#capacity
    })
  }

  #string(out: number[], text: string): void {
    this.#integer(out, 0, 0x7f, text.length)
    for (const octet of Buffer.from(text, 'latin1')) out.push(octet)
  }

  #integer(out: number[], flags: number, mask: number, value: number): void {
    if (value < mask) {
      out.push(flags | value)
      return
    }
    out.push(flags | mask)
    let rest = value - mask
    for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128)
    out.push(rest)
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }
}
