import { ProtoError } from './proto-error.ts'
import { BYTES, FIXED32, FIXED64, ProtoReader, VARINT } from './proto-reader.ts'

/** Fields of InferTensorContents. */
export const BOOL_CONTENTS = 1
export const INT_CONTENTS = 2
export const INT64_CONTENTS = 3
export const UINT_CONTENTS = 4
export const UINT64_CONTENTS = 5
export const FP32_CONTENTS = 6
export const FP64_CONTENTS = 7
export const BYTES_CONTENTS = 8

/** Pieces of one field that are merged; nobody sends more than one. */
const MAX_PIECES = 16
const VARINT_BYTES = 10

/** The values of one input that did not come as raw bytes: counted and found well-formed, but not yet read. */
export class TensorContents {
  /** Elements by field number. */
  readonly counts: number[] = new Array(BYTES_CONTENTS + 1).fill(0)
  readonly #pieces: Uint8Array[] = []
  #stringBytes = 0

  /** Takes a message; further ones are merged into it. Throws ProtoError. False: there are too many. */
  add(message: Uint8Array): boolean {
    if (message.length === 0) return true
    if (this.#pieces.length === MAX_PIECES) return false
    this.#pieces.push(message)
    const { counts } = this
    const reader = new ProtoReader(message)
    for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
      const field = tag >>> 3
      const wire = tag & 7
      if (field > BYTES_CONTENTS) reader.skip(tag)
      else if (wire === BYTES) {
        const to = reader.length()
        if (field === BYTES_CONTENTS) {
          this.#stringBytes += to - reader.pos
          counts[field] = (counts[field] as number) + 1
        } else counts[field] = (counts[field] as number) + countPacked(reader, field, to)
        reader.pos = to
      } else {
        if (wire === wireOf(field)) counts[field] = (counts[field] as number) + 1
        reader.skip(tag)
      }
    }
    return true
  }

  /** The elements of `field` as little-endian bytes, `size` each; the low bytes where `size` is less than they have. */
  copyElements(field: number, size: number): Uint8Array {
    const target = new Uint8Array((this.counts[field] as number) * size)
    const wire = wireOf(field)
    const isBool = field === BOOL_CONTENTS
    let at = 0
    for (const piece of this.#pieces) {
      const reader = new ProtoReader(piece)
      for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
        if (tag >>> 3 !== field || ((tag & 7) !== wire && (tag & 7) !== BYTES)) reader.skip(tag)
        else if (wire === VARINT) {
          at =
            (tag & 7) === BYTES
              ? copyPacked(reader, target, at, size, isBool)
              : copyOne(reader, target, at, size, isBool)
        } else {
          const packed = (tag & 7) === BYTES
          const to = packed ? reader.length() : reader.pos + size
          target.set(piece.subarray(reader.pos, to), at)
          at += to - reader.pos
          reader.pos = to
        }
      }
    }
    return target
  }

  /** The strings in the layout of BYTES tensors. */
  copyStrings(): Uint8Array {
    const target = new Uint8Array((this.counts[BYTES_CONTENTS] as number) * 4 + this.#stringBytes)
    const view = new DataView(target.buffer)
    let at = 0
    for (const piece of this.#pieces) {
      const reader = new ProtoReader(piece)
      for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
        if (tag !== ((BYTES_CONTENTS << 3) | BYTES)) {
          reader.skip(tag)
          continue
        }
        const to = reader.length()
        view.setUint32(at, to - reader.pos, true)
        target.set(piece.subarray(reader.pos, to), at + 4)
        at += 4 + to - reader.pos
        reader.pos = to
      }
    }
    return target
  }
}

function wireOf(field: number): number {
  if (field === FP32_CONTENTS) return FIXED32
  if (field === FP64_CONTENTS) return FIXED64
  return field === BYTES_CONTENTS ? BYTES : VARINT
}

/** Elements of a packed field from the cursor to `to`. */
function countPacked(reader: ProtoReader, field: number, to: number): number {
  const { bytes, pos } = reader
  const wire = wireOf(field)
  if (wire !== VARINT) {
    const count = (to - pos) / (wire === FIXED32 ? 4 : 8)
    if (!Number.isInteger(count)) throw new ProtoError('truncated packed field')
    return count
  }
  let count = 0
  let run = 0
  for (let i = pos; i < to; i++) {
    if (++run > VARINT_BYTES) throw new ProtoError('varint is too long')
    if ((bytes[i] as number) < 0x80) {
      count++
      run = 0
    }
  }
  if (run !== 0) throw new ProtoError('truncated varint')
  return count
}

function copyPacked(
  reader: ProtoReader,
  target: Uint8Array,
  from: number,
  size: number,
  isBool: boolean,
): number {
  const to = reader.length()
  let at = from
  while (reader.pos < to) at = copyOne(reader, target, at, size, isBool)
  return at
}

function copyOne(
  reader: ProtoReader,
  target: Uint8Array,
  at: number,
  size: number,
  isBool: boolean,
): number {
  reader.varint()
  if (isBool) {
    target[at] = (reader.low | reader.high) === 0 ? 0 : 1
    return at + 1
  }
  let { low } = reader
  for (let i = 0; i < size; i++) {
    if (i === 4) low = reader.high
    target[at + i] = low
    low >>>= 8
  }
  return at + size
}
