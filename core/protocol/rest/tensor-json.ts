import { ServerError } from '../../errors.ts'
import { DATATYPE_SIZES, elementCount, type Tensor } from '../../tensor.ts'
import { doubleText, type JsonWriter } from './json-writer.ts'

/** Writes the elements of `tensor`, flat, as a JSON array; with `list` false without its brackets. */
export function writeTensorData(writer: JsonWriter, tensor: Tensor, list = true): void {
  const { datatype, name } = tensor
  if (datatype === 'FP16' || datatype === 'BF16') {
    throw new ServerError(
      'INVALID_ARG',
      `sending ${datatype} data via JSON is not supported. Please use the binary data format for output`,
    )
  }
  const count = elementCount(tensor.shape)
  if (datatype === 'BYTES') {
    if (list) writer.text('[')
    writeStrings(writer, tensor, count)
    if (list) writer.text(']')
    return
  }
  const size = DATATYPE_SIZES[datatype]
  if (tensor.data.length !== count * size) {
    throw new ServerError(
      'INTERNAL',
      `Failed to write 'data' field: output tensor shape does not match size of output for '${name}'`,
    )
  }
  // Views may start anywhere; typed arrays want their own alignment. Not `slice`: that of Node's buffers does not copy.
  const data = tensor.data.byteOffset % size === 0 ? tensor.data : new Uint8Array(tensor.data)
  const numbers = numbersText(tensor, data, count)
  writer.text(list ? `[${numbers}]` : numbers)
}

function numbersText(tensor: Tensor, data: Uint8Array, count: number): string {
  const { buffer, byteOffset } = data
  switch (tensor.datatype) {
    case 'FP32':
      return doublesText(new Float32Array(buffer, byteOffset, count))
    case 'FP64':
      return doublesText(new Float64Array(buffer, byteOffset, count))
    case 'INT8':
      return new Int8Array(buffer, byteOffset, count).join(',')
    case 'INT16':
      return new Int16Array(buffer, byteOffset, count).join(',')
    case 'INT32':
      return new Int32Array(buffer, byteOffset, count).join(',')
    case 'UINT16':
      return new Uint16Array(buffer, byteOffset, count).join(',')
    case 'UINT32':
      return new Uint32Array(buffer, byteOffset, count).join(',')
    case 'INT64':
      return longsText(new Int32Array(buffer, byteOffset, count * 2), true)
    case 'UINT64':
      return longsText(new Int32Array(buffer, byteOffset, count * 2), false)
    case 'BOOL':
      return Array.from(data, (byte) => byte !== 0).join(',')
    default:
      return data.join(',')
  }
}

/** Fractions in a row from which on JSON.stringify, which prints a list without making strings, is the faster way. */
const LONG_RUN = 32
/** Fractions printed at a time: bounds the list that is made of them. */
const MOST_RUN = 4096

/** JSON.stringify prints fractions as Triton does; whole numbers, NaN and infinities it does not. */
function doublesText(values: Float32Array | Float64Array): string {
  let text = ''
  let from = 0
  while (from < values.length) {
    const stop = Math.min(values.length, from + MOST_RUN)
    let to = from
    while (to < stop && isFraction(values[to] as number)) to++
    if (from > 0) text += ','
    if (to - from >= LONG_RUN) {
      text += JSON.stringify(Array.from(values.subarray(from, to))).slice(1, -1)
      from = to
    } else {
      text += doubleText(values[from] as number)
      from++
    }
  }
  return text
}

function isFraction(value: number): boolean {
  return Math.floor(value) !== value && value - value === 0
}

/** 64-bit integers from 32-bit words; a bigint is made only for what a double does not count exactly. */
function longsText(words: Int32Array, signed: boolean): string {
  let text = ''
  for (let i = 0; i < words.length; i += 2) {
    const low = (words[i] as number) >>> 0
    const high = signed ? (words[i + 1] as number) : (words[i + 1] as number) >>> 0
    const value = high * 0x1_0000_0000 + low
    if (i > 0) text += ','
    text += Number.isSafeInteger(value) ? value : (BigInt(high) << 32n) + BigInt(low)
  }
  return text
}

function writeStrings(writer: JsonWriter, tensor: Tensor, count: number): void {
  const { data } = tensor
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  let at = 0
  for (let i = 0; i < count; i++) {
    const length = at + 4 <= data.length ? view.getUint32(at, true) : -1
    if (length < 0 || at + 4 + length > data.length) {
      throw new ServerError(
        'INTERNAL',
        `output tensor shape does not match size of output for '${tensor.name}'`,
      )
    }
    if (i > 0) writer.text(',')
    writer.string(data.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
}
