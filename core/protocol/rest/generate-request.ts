import { ServerError } from '../../errors.ts'
import type { InferRequestOptions, ParameterValue } from '../../infer.ts'
import type { ServedModel, TensorMetadata } from '../../server-types.ts'
import { DATATYPE_SIZES, type Tensor } from '../../tensor.ts'
import type { ProtocolLimits } from '../limits.ts'
import { parseCustom, parseId } from './infer-parameters.ts'
import { jsonSyntaxError, TYPE_ERRORS } from './json-error.ts'
import { JsonReader } from './json-reader.ts'
import { readTensorData, scalarSink } from './json-tensor.ts'
import { invalid } from './json-value.ts'

const NESTED = 'parameters'
const OPEN_ARRAY = 0x5b
const OPEN_OBJECT = 0x7b

/** One member of the body: its value is read when it is known what it is for. */
interface Member {
  readonly name: string
  /** Bytes of the value. */
  readonly start: number
  readonly end: number
}

interface Mapping {
  readonly model: ServedModel
  readonly limits: ProtocolLimits
  readonly bytes: Uint8Array
  readonly inputs: Tensor[]
  readonly parameters: Map<string, ParameterValue>
  /** Bytes of all inputs so far. */
  size: number
}

/**
 * The request that a body of `generate` means: members named like an input become it, a scalar or a flat list; all others, also
 * those inside `parameters`, are parameters for the model. Throws with Triton's texts.
 */
export function parseGenerateRequest(
  bytes: Uint8Array,
  model: ServedModel,
  limits: ProtocolLimits,
): InferRequestOptions {
  const reader = new JsonReader(bytes, limits)
  const first = reader.peek()
  if (first === -1) throw jsonSyntaxError('empty', reader.pos)
  if (first !== OPEN_OBJECT) {
    reader.skip()
    reader.finish()
    throw invalid('attempt to get members for non-object')
  }
  const members = readMembers(reader)
  // All of it is JSON before any of it is looked at.
  reader.finish()
  const id = members.find((member) => member.name === 'id')
  const mapping: Mapping = { model, limits, bytes, inputs: [], parameters: new Map(), size: 0 }
  const requestId = id === undefined ? '' : parseId(readerOf(mapping, id).value(), limits)
  mapMembers(mapping, members, true)
  const { inputs, parameters } = mapping
  return { id: requestId, inputs, parameters: parameters.size === 0 ? null : parameters }
}

function readMembers(reader: JsonReader): Member[] {
  const members: Member[] = []
  reader.enter()
  let more = reader.member(true, 0)
  while (more) {
    const name = reader.string()
    reader.colon()
    reader.peek()
    const start = reader.pos
    reader.skip()
    members.push({ name, start, end: reader.pos })
    more = reader.nextMember() && reader.member(false, members.length)
  }
  return members
}

function readerOf({ bytes, limits }: Mapping, { start, end }: Member): JsonReader {
  return new JsonReader(bytes.subarray(start, end), limits)
}

function mapMembers(mapping: Mapping, members: readonly Member[], nests: boolean): void {
  const { model, limits, parameters } = mapping
  for (const member of members) {
    const { name } = member
    const input = model.inputs.find((one) => one.name === name)
    if (nests && name === NESTED) mapNested(mapping, member, input !== undefined)
    else if (input !== undefined) mapping.inputs.push(readInput(mapping, member, input))
    else if (nests && name === 'id') continue
    else {
      // The first of equal names counts, as where members are looked up in order.
      const custom = parseCustom(name, readerOf(mapping, member).value(), limits)
      if (!parameters.has(name)) parameters.set(name, custom)
    }
    checkCounts(mapping)
  }
}

function checkCounts({ inputs, parameters, limits }: Mapping): void {
  if (inputs.length > limits.tensors) {
    throw invalid(`request has more than ${limits.tensors} inputs`)
  }
  if (parameters.size > limits.parameters) {
    throw invalid(`request has ${parameters.size} parameters, the limit is ${limits.parameters}`)
  }
}

function mapNested(mapping: Mapping, member: Member, isInput: boolean): void {
  if (isInput) {
    throw invalid(`Keyword '${NESTED}' for nested schema also given as input tensor name`)
  }
  if (mapping.bytes[member.start] !== OPEN_OBJECT) {
    throw invalid(`Expected JSON object for keyword: '${NESTED}': ${TYPE_ERRORS.object}`)
  }
  const nested = readMembers(readerOf(mapping, member)).map(({ name, start, end }) => ({
    name,
    start: start + member.start,
    end: end + member.start,
  }))
  try {
    mapMembers(mapping, nested, false)
  } catch (error) {
    if (!(error instanceof ServerError)) throw error
    throw new ServerError(error.code, `Converting keyword: '${NESTED}': ${error.message}`)
  }
}

function readInput(mapping: Mapping, member: Member, input: TensorMetadata): Tensor {
  const { bytes, limits } = mapping
  const { name, datatype } = input
  if (datatype === 'FP16' || datatype === 'BF16') {
    throw invalid(
      `receiving ${datatype} data via JSON is not supported. Please use the binary data format for input ${name}`,
    )
  }
  const isArray = bytes[member.start] === OPEN_ARRAY
  const count = isArray ? countElements(readerOf(mapping, member)) : 1
  const shape = shapeFor(input, count)
  const list = isArray ? bytes.subarray(member.start, member.end) : bracketed(bytes, member)
  checkSize(mapping, name, count * DATATYPE_SIZES[datatype])
  const sink = scalarSink(datatype, count, list.length)
  readTensorData(new JsonReader(list, limits), sink)
  const data = sink.finish()
  if (sink.error !== null) {
    const context = datatype === 'BYTES' ? 'Unable to parse JSON bytes array' : UNABLE
    throw invalid(`${context}: ${sink.error}`)
  }
  checkSize(mapping, name, data.length)
  mapping.size += data.length
  return { name, datatype, shape, data }
}

const UNABLE = "Unable to parse 'data'"

function checkSize({ size, limits }: Mapping, name: string, bytes: number): void {
  if (size + bytes <= limits.bodyBytes) return
  throw invalid(
    `request size of ${size} bytes with input '${name}' of size ${bytes} bytes exceeds the maximum allowed input size of ${limits.bodyBytes} bytes. Use --http-max-input-size to increase the limit.`,
  )
}

function countElements(reader: JsonReader): number {
  let count = 0
  reader.peek()
  reader.enter()
  if (reader.firstElement()) {
    do {
      reader.peek()
      reader.skip()
      count++
    } while (reader.nextElement())
  }
  return count
}

function bracketed(bytes: Uint8Array, { start, end }: Member): Uint8Array {
  const list = new Uint8Array(end - start + 2)
  list[0] = OPEN_ARRAY
  list.set(bytes.subarray(start, end), 1)
  list[list.length - 1] = 0x5d
  return list
}

/** Fixed dimensions take their share of the elements, the innermost free one the rest, other free ones are 1. */
function shapeFor({ name, shape }: TensorMetadata, count: number): readonly number[] {
  let left = count
  for (const dim of shape) {
    if (dim === -1) continue
    if (dim === 0 || left % dim !== 0) throw noShape(name)
    left /= dim
  }
  const filled = shape.slice()
  for (let i = filled.length - 1; i >= 0; i--) {
    if (filled[i] !== -1) continue
    filled[i] = left
    left = 1
  }
  if (left !== 1) throw noShape(name)
  return filled
}

function noShape(name: string): ServerError {
  return invalid(`The schema can not convert input '${name}' to tensor with proper shape`)
}
