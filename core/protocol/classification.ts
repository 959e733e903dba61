import { packBytes } from '../bytes.ts'
import { ServerError } from '../errors.ts'
import { DATATYPE_SIZES, type Datatype, type Tensor } from '../tensor.ts'

export interface ClassificationOptions {
  /** Classes per batch item. */
  readonly count: number
  /** Whether axis 0 is the batch. */
  readonly batching: boolean
  readonly labels: readonly string[] | undefined
  /** Elements of one batch item at most. */
  readonly maxElements: number
}

type Values = ArrayLike<number> | ArrayLike<bigint>

/**
 * `tensor` as its best classes: BYTES of shape [k] or [batch, k], each `value:index` or `value:index:label`, values
 * falling. Equal values keep the order of their indices; NaN comes last.
 */
export function classify(tensor: Tensor, options: ClassificationOptions): Tensor {
  const { shape, datatype } = tensor
  const batch = options.batching && shape.length > 0 ? (shape[0] as number) : 0
  let elements = 1
  for (let i = batch === 0 ? 0 : 1; i < shape.length; i++) elements *= shape[i] as number
  if (elements > options.maxElements) {
    throw new ServerError('INVALID_ARG', 'classification output tensor too large')
  }
  const classes = Math.min(options.count, elements)
  const encoder = new TextEncoder()
  const strings: Uint8Array[] = []
  const bytes = elements * DATATYPE_SIZES[datatype]
  for (let item = 0; item < Math.max(1, batch); item++) {
    const values = valuesOf(datatype, tensor.data.slice(item * bytes, (item + 1) * bytes))
    for (const index of topIndices(values, classes)) {
      const label = options.labels?.[index]
      const text = `${valueText(values[index] as number | bigint, datatype)}:${index}`
      strings.push(encoder.encode(label === undefined ? text : `${text}:${label}`))
    }
  }
  return {
    name: tensor.name,
    datatype: 'BYTES',
    shape: batch > 0 ? [batch, classes] : [classes],
    data: packBytes(strings),
  }
}

/** `bytes` is a copy, so that any typed array may be laid over it. */
function valuesOf(datatype: Datatype, bytes: Uint8Array): Values {
  const { buffer } = bytes
  switch (datatype) {
    case 'UINT8':
      return bytes
    case 'UINT16':
      return new Uint16Array(buffer)
    case 'UINT32':
      return new Uint32Array(buffer)
    case 'UINT64':
      return new BigUint64Array(buffer)
    case 'INT8':
      return new Int8Array(buffer)
    case 'INT16':
      return new Int16Array(buffer)
    case 'INT32':
      return new Int32Array(buffer)
    case 'INT64':
      return new BigInt64Array(buffer)
    case 'FP32':
      return new Float32Array(buffer)
    case 'FP64':
      return new Float64Array(buffer)
    default:
      throw new ServerError(
        'INVALID_ARG',
        `class result not available for output due to unsupported type '${datatype}'`,
      )
  }
}

/** Indices of the `count` greatest values, best first: a heap of that size whose root is the worst kept. */
function topIndices(values: Values, count: number): number[] {
  const heap: number[] = []
  const worse = (a: number, b: number): boolean => {
    const x = values[a] as number | bigint
    const y = values[b] as number | bigint
    if (x < y) return true
    if (y < x) return false
    // biome-ignore lint/suspicious/noSelfCompare: only NaN differs from itself, and bigints are no argument of isNaN.
    if (x !== x || y !== y) return x !== x && (y === y || a > b)
    return a > b
  }
  const sink = (from: number): void => {
    let at = from
    for (;;) {
      let worst = at
      for (let child = at * 2 + 1; child <= at * 2 + 2 && child < heap.length; child++) {
        if (worse(heap[child] as number, heap[worst] as number)) worst = child
      }
      if (worst === at) return
      const moved = heap[at] as number
      heap[at] = heap[worst] as number
      heap[worst] = moved
      at = worst
    }
  }
  const kept = Math.min(count, values.length)
  if (kept === 0) return heap
  for (let i = 0; i < kept; i++) heap.push(i)
  for (let i = (kept >> 1) - 1; i >= 0; i--) sink(i)
  for (let i = kept; i < values.length; i++) {
    if (!worse(heap[0] as number, i)) continue
    heap[0] = i
    sink(0)
  }
  return heap.sort((a, b) => (worse(a, b) ? 1 : -1))
}

/** As C++'s `std::to_string`: integers plain, floats with six decimals. */
function valueText(value: number | bigint, datatype: Datatype): string {
  if (typeof value === 'bigint' || (datatype !== 'FP32' && datatype !== 'FP64'))
    return String(value)
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  // From here on `toFixed` writes an exponent.
  if (Math.abs(value) >= 1e21) return `${BigInt(value)}.000000`
  const text = Object.is(value, -0) ? '-0.000000' : signed(value)
  // Only odd multiples of 2^-7 lie half way between two sixth decimals; C rounds them to even, `toFixed` away from zero.
  if (Math.abs(value * 128) % 2 !== 1) return text
  const last = text.charCodeAt(text.length - 1) - 0x30
  return last % 2 === 1 ? `${text.slice(0, -1)}${last - 1}` : text
}

/** Small negative numbers keep their sign, as in C. */
function signed(value: number): string {
  const text = value.toFixed(6)
  return value < 0 && !text.startsWith('-') ? `-${text}` : text
}
