import type { HeaderBlock } from '../types.ts'
import { huffmanEncode, huffmanLength } from './huffman.ts'
import { staticField, staticName } from './static-table.ts'

/** What a field's value may not hold: it would end the field after a translation to HTTP/1.1, or is no octet. */
const UNSENDABLE = /[\0\r\n\u0100-\uffff]/

/**
 * Encodes `fields` (name, value, …; names in lower case) without the dynamic table, so that the block is right on every
 * connection and at any time. Throws RangeError for characters that no header field can carry.
 */
export function headerBlock(fields: readonly string[]): HeaderBlock {
  let size = 0
  for (let at = 0; at < fields.length; at += 2) {
    size += fieldSize(fields[at] ?? '', fields[at + 1] ?? '')
  }
  const encoded = new Uint8Array(size)
  let end = 0
  for (let at = 0; at < fields.length; at += 2) {
    end = writeField(fields[at] ?? '', fields[at + 1] ?? '', encoded, end)
  }
  return { fields, encoded }
}

function fieldSize(name: string, value: string): number {
  if (UNSENDABLE.test(name) || UNSENDABLE.test(value)) {
    throw new RangeError(`header field '${name}' holds a character that cannot be sent`)
  }
  const nameIndex = staticName(name)
  // All static indices fit the seven bits of an indexed field.
  if (staticField(nameIndex, name, value) > 0) return 1
  const nameSize = nameIndex > 0 ? integerSize(nameIndex, 0x0f) : 1 + stringSize(name)
  return nameSize + stringSize(value)
}

function writeField(name: string, value: string, out: Uint8Array, at: number): number {
  const nameIndex = staticName(name)
  const fieldIndex = staticField(nameIndex, name, value)
  if (fieldIndex > 0) {
    out[at] = 0x80 | fieldIndex
    return at + 1
  }
  let end = writeInteger(nameIndex, 0x0f, 0, out, at)
  if (nameIndex === 0) end = writeString(name, out, end)
  return writeString(value, out, end)
}

function stringSize(text: string): number {
  const length = Math.min(text.length, huffmanLength(text))
  return integerSize(length, 0x7f) + length
}

function writeString(text: string, out: Uint8Array, at: number): number {
  const coded = huffmanLength(text)
  if (coded < text.length) {
    const start = writeInteger(coded, 0x7f, 0x80, out, at)
    huffmanEncode(text, out, start)
    return start + coded
  }
  const start = writeInteger(text.length, 0x7f, 0, out, at)
  for (let index = 0; index < text.length; index++) out[start + index] = text.charCodeAt(index)
  return start + text.length
}

function integerSize(value: number, mask: number): number {
  let size = 1
  if (value < mask) return size
  for (let rest = value - mask; rest >= 0x80; rest >>>= 7) size++
  return size + 1
}

/** `flags` are the bits above the prefix. */
function writeInteger(
  value: number,
  mask: number,
  flags: number,
  out: Uint8Array,
  at: number,
): number {
  if (value < mask) {
    out[at] = flags | value
    return at + 1
  }
  out[at] = flags | mask
  let end = at + 1
  let rest = value - mask
  for (; rest >= 0x80; rest >>>= 7) out[end++] = 0x80 | (rest & 0x7f)
  out[end] = rest
  return end + 1
}
