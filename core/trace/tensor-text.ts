import { DATATYPE_SIZES, type Tensor } from '../tensor.ts'
import { generalNumber } from './general-number.ts'

/** Elements of a tensor that a trace shows; the rest is left out, for the sake of those who wait meanwhile. */
export const MAX_TRACED_ELEMENTS: number = 16 * 1024
/** Bytes of BYTES elements that a trace shows of one tensor. */
export const MAX_TRACED_BYTES: number = 1024 * 1024

type Reader = (view: DataView, at: number) => string

const READERS: Readonly<Partial<Record<Tensor['datatype'], Reader>>> = {
  BOOL: (view, at) => (view.getUint8(at) === 0 ? '0' : '1'),
  UINT8: (view, at) => String(view.getUint8(at)),
  UINT16: (view, at) => String(view.getUint16(at, true)),
  UINT32: (view, at) => String(view.getUint32(at, true)),
  UINT64: (view, at) => String(view.getBigUint64(at, true)),
  INT8: (view, at) => String(view.getInt8(at)),
  INT16: (view, at) => String(view.getInt16(at, true)),
  INT32: (view, at) => String(view.getInt32(at, true)),
  INT64: (view, at) => String(view.getBigInt64(at, true)),
  FP32: (view, at) => generalNumber(view.getFloat32(at, true)),
  FP64: (view, at) => generalNumber(view.getFloat64(at, true)),
}

/** A tensor's elements as traces show them, `1,2,3`; nothing for FP16 and BF16, as in Triton. */
export function tensorText({ datatype, data }: Pick<Tensor, 'datatype' | 'data'>): string {
  if (datatype === 'BYTES') return stringsText(data)
  const read = READERS[datatype]
  if (read === undefined) return ''
  const size = DATATYPE_SIZES[datatype]
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const count = Math.min(Math.floor(data.length / size), MAX_TRACED_ELEMENTS)
  const texts: string[] = new Array(count)
  for (let i = 0; i < count; i++) texts[i] = read(view, i * size)
  return texts.join(',')
}

function stringsText(data: Uint8Array): string {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const decoder = new TextDecoder()
  const texts: string[] = []
  for (let at = 0; at + 4 <= data.length && texts.length < MAX_TRACED_ELEMENTS; ) {
    const length = view.getUint32(at, true)
    at += 4
    if (at + length > data.length || at + length > MAX_TRACED_BYTES) break
    texts.push(`"${decoder.decode(data.subarray(at, at + length))}"`)
    at += length
  }
  return texts.join(',')
}
