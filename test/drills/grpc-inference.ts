import { type Bytes, concat, field, varint } from '../helpers/onnx-bytes.ts'
import type { Inference } from './inference.ts'
import { WIDTH } from './models.ts'

/** Where a tensor lies in a registered region. */
export interface RegionRange {
  readonly region: string
  readonly offset: number
}

export interface MessageOptions {
  readonly input?: RegionRange
  readonly output?: RegionRange
  /** Names and integers of request parameters, as of sequences. */
  readonly parameters?: Readonly<Record<string, number | boolean>>
}

/** A ModelInferRequest. */
export function inferMessage(asked: Inference, options: MessageOptions = {}): Bytes {
  const { model, id, rows, values } = asked
  const { input, output, parameters = {} } = options
  const region = (range: RegionRange | undefined): Bytes[] =>
    range === undefined ? [] : regionParameters(range, values.byteLength)
  const tensor = concat(
    field(1, 'X'),
    field(2, 'INT64'),
    field(3, concat(varint(rows), varint(WIDTH))),
    ...region(input),
  )
  const given = Object.entries(parameters).map(([name, value]) =>
    field(
      4,
      parameter(name, typeof value === 'boolean' ? field(1, Number(value)) : field(2, value)),
    ),
  )
  return concat(
    field(1, model),
    field(3, id),
    ...given,
    field(5, tensor),
    ...(output === undefined ? [] : [field(6, concat(field(1, 'Y'), ...shift(region(output))))]),
    ...(input === undefined ? [field(7, new Uint8Array(values.buffer))] : []),
  )
}

const parameter = (name: string, value: Bytes): Bytes => concat(field(1, name), field(2, value))

/** Field 4 of an input; of a requested output it is 2. */
const regionParameters = ({ region, offset }: RegionRange, size: number): Bytes[] =>
  [
    parameter('shared_memory_region', field(3, region)),
    parameter('shared_memory_offset', field(2, offset)),
    parameter('shared_memory_byte_size', field(2, size)),
  ].map((one) => field(4, one))

function shift(fields: readonly Bytes[]): Bytes[] {
  return fields.map((one) => {
    const copy = one.slice()
    copy[0] = (2 << 3) | 2
    return copy
  })
}

/** The values of `message`, a ModelInferResponse, when in everything else it answers `asked`; otherwise what is wrong. */
export function grpcAnswered(asked: Inference, message: Uint8Array): BigInt64Array | string {
  const found = responseParts(message)
  const wrong = (what: string): string =>
    `${asked.id}: ${what} in ${Buffer.from(message).toString('latin1')}`
  if (found.id !== asked.id || found.model !== asked.model) return wrong('another id or model')
  if (found.outputs !== 1 || found.name !== 'Y') return wrong('the outputs')
  if (found.datatype !== 'INT64' || found.shape.join() !== `${asked.rows},${WIDTH}`) {
    return wrong('another tensor')
  }
  if (found.raw.length !== asked.values.byteLength) return wrong('another number of bytes')
  return new BigInt64Array(new Uint8Array(found.raw).buffer)
}

/** What is read of a ModelInferResponse. */
interface ResponseParts {
  id: string
  model: string
  outputs: number
  name: string
  datatype: string
  shape: number[]
  raw: Uint8Array
}

export function responseParts(message: Uint8Array): ResponseParts {
  const found: ResponseParts = {
    id: '',
    model: '',
    outputs: 0,
    name: '',
    datatype: '',
    shape: [],
    raw: new Uint8Array(0),
  }
  eachField(message, (number, value) => {
    if (number === 1) found.model = text(value)
    else if (number === 3) found.id = text(value)
    else if (number === 6) found.raw = value
    else if (number === 5) {
      found.outputs++
      eachField(value, (inner, content) => {
        if (inner === 1) found.name = text(content)
        else if (inner === 2) found.datatype = text(content)
        else if (inner === 3) found.shape.push(...content)
      })
    }
  })
  return found
}

/** A ModelStreamInferResponse: what it says went wrong, and its response. */
export function streamParts(message: Uint8Array): { error: string; response: Uint8Array } {
  let error = ''
  let response = new Uint8Array(0)
  eachField(message, (number, value) => {
    if (number === 1) error = text(value)
    else if (number === 2) response = value as Uint8Array<ArrayBuffer>
  })
  return { error, response }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

/** Calls `take` for each length-delimited field; numbers below 128 come as one byte. */
function eachField(message: Uint8Array, take: (number: number, value: Uint8Array) => void): void {
  let at = 0
  const next = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++] ?? 0
      value += (byte & 0x7f) * scale
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const key = next()
    if ((key & 7) === 2) {
      const size = next()
      take(key >> 3, message.subarray(at, at + size))
      at += size
    } else if ((key & 7) === 0) take(key >> 3, Uint8Array.of(next()))
    else throw new Error(`wire type ${key & 7} in a response`)
  }
}
