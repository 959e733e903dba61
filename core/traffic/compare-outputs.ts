import { sameBytes } from '../bytes.ts'
import { DATATYPE_SIZES, type Datatype, type Tensor } from '../tensor.ts'

/** What two answers to one request have between them. */
export interface Comparison {
  readonly equal: boolean
  /** Largest absolute difference of all numbers; NaN where none could be compared. */
  readonly difference: number
  /** The same for each output that holds numbers. */
  readonly byOutput: ReadonlyMap<string, number>
}

/** Compares outputs by name. Other shapes, datatypes or names are unequal without a difference. */
export function compareOutputs(ours: readonly Tensor[], theirs: readonly Tensor[]): Comparison {
  const byOutput = new Map<string, number>()
  let equal = ours.length === theirs.length
  let difference = Number.NaN
  for (const one of ours) {
    const other = theirs.find(({ name }) => name === one.name)
    if (other === undefined || !sameForm(one, other)) {
      equal = false
      continue
    }
    const largest = largestDifference(one, other)
    if (largest === undefined) {
      equal &&= sameBytes(one.data, other.data)
      continue
    }
    byOutput.set(one.name, largest)
    // Doubles do not count 64-bit integers exactly.
    if (largest > 0 || !sameInteger(one, other)) equal = false
    if (!(difference >= largest)) difference = largest
  }
  return { equal, difference, byOutput }
}

function sameForm(one: Tensor, other: Tensor): boolean {
  return (
    one.datatype === other.datatype &&
    one.data.length === other.data.length &&
    one.shape.length === other.shape.length &&
    one.shape.every((dim, i) => dim === other.shape[i])
  )
}

type Read = (view: DataView, at: number) => number

const READERS: Readonly<Partial<Record<Datatype, Read>>> = {
  UINT8: (view, at) => view.getUint8(at),
  UINT16: (view, at) => view.getUint16(at, true),
  UINT32: (view, at) => view.getUint32(at, true),
  UINT64: (view, at) => Number(view.getBigUint64(at, true)),
  INT8: (view, at) => view.getInt8(at),
  INT16: (view, at) => view.getInt16(at, true),
  INT32: (view, at) => view.getInt32(at, true),
  INT64: (view, at) => Number(view.getBigInt64(at, true)),
  FP16: (view, at) => float16(view.getUint16(at, true), 10),
  FP32: (view, at) => view.getFloat32(at, true),
  FP64: (view, at) => view.getFloat64(at, true),
  BF16: (view, at) => float16(view.getUint16(at, true), 7),
}

/** undefined for what holds no numbers. Values that are NaN in both are alike, in one of them infinitely apart. */
function largestDifference(one: Tensor, other: Tensor): number | undefined {
  const read = READERS[one.datatype]
  if (read === undefined) return undefined
  const size = DATATYPE_SIZES[one.datatype]
  const a = viewOf(one.data)
  const b = viewOf(other.data)
  let largest = 0
  for (let at = 0; at + size <= a.byteLength; at += size) {
    const [x, y] = [read(a, at), read(b, at)]
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue
    const apart = Math.abs(x - y)
    if (!(apart <= largest)) largest = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart
  }
  return largest
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

/** A float of 16 bits of which `digits` are its fraction. */
function float16(bits: number, digits: number): number {
  const top = 2 ** (15 - digits) - 1
  const bias = (top - 1) / 2
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> digits) & top
  const fraction = (bits & (2 ** digits - 1)) / 2 ** digits
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias)
  if (exponent === top) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction) * 2 ** (exponent - bias)
}

function sameInteger({ datatype, data }: Tensor, other: Tensor): boolean {
  return (datatype !== 'INT64' && datatype !== 'UINT64') || sameBytes(data, other.data)
}
