import { ServerError } from '../../errors.ts'
import { DATATYPE_SIZES, type Datatype, isDatatype, shapeText } from '../../tensor.ts'
import type { ProtocolLimits } from '../limits.ts'
import { missingMember, TYPE_ERRORS } from './json-error.ts'
import type { JsonReader } from './json-reader.ts'
import { readTensorData, scalarSink } from './json-tensor.ts'
import { asString, asUnsigned, find, invalid, type JsonValue } from './json-value.ts'
import type { ScalarSink } from './scalar-sink.ts'
import { parseRegionRef } from './shared-memory.ts'
import type { InputSlot } from './types.ts'

const KEYS = ['name', 'datatype', 'shape', 'parameters', 'data'].map((key) =>
  new TextEncoder().encode(key),
)
const NAME = 0
const DATATYPE = 1
const SHAPE = 2
const PARAMETERS = 3
const DATA = 4
const NO_DATA = new Uint8Array(0)

/**
 * Reads the element of `inputs` at the cursor. Returns what is wrong with it, so that a syntax error further on, which
 * comes first, is still found; throws only syntax errors and limits.
 *
 * `data` is read straight into the tensor's bytes when datatype and shape stand before it, as clients write them;
 * otherwise it is read again once they are known.
 */
export function parseInput(reader: JsonReader, limits: ProtocolLimits): InputSlot | Error {
  const found: (JsonValue | undefined)[] = [undefined, undefined, undefined, undefined]
  let dataAt = -1
  let sink: ScalarSink | null = null
  if (reader.peek() !== 0x7b) reader.value()
  else {
    reader.enter()
    let seen = 0
    let count = 0
    let more = reader.member(true, count)
    while (more) {
      const key = reader.key(KEYS)
      reader.colon()
      const first = key >= 0 && (seen & (1 << key)) === 0
      if (key >= 0) seen |= 1 << key
      if (!first) reader.skip()
      else if (key !== DATA) found[key] = reader.value()
      else {
        const isArray = reader.peek() === 0x5b
        dataAt = reader.pos
        if (isArray) sink = earlySink(reader, found, limits)
        if (sink === null) reader.skip()
        else readTensorData(reader, sink)
      }
      more = reader.nextMember() && reader.member(false, ++count)
    }
  }
  try {
    return makeSlot(reader, found, dataAt, sink, limits)
  } catch (error) {
    if (error instanceof ServerError) return error
    throw error
  }
}

/** The sink for data whose datatype and shape are known and right; null leaves everything to {@link makeSlot}. */
function earlySink(
  reader: JsonReader,
  found: readonly (JsonValue | undefined)[],
  limits: ProtocolLimits,
): ScalarSink | null {
  const datatype = found[DATATYPE]
  const shape = found[SHAPE]
  if (typeof datatype !== 'string' || !isDatatype(datatype) || !Array.isArray(shape)) return null
  if (datatype === 'FP16' || datatype === 'BF16' || shape.length > limits.dims) return null
  let count = 1
  for (const dim of shape) {
    if (typeof dim !== 'number' || dim < 0) return null
    count *= dim
  }
  if (count === 0 || count * DATATYPE_SIZES[datatype] > limits.bodyBytes) return null
  return scalarSink(datatype, count, reader.end - reader.pos)
}

function makeSlot(
  reader: JsonReader,
  found: readonly (JsonValue | undefined)[],
  dataAt: number,
  early: ScalarSink | null,
  limits: ProtocolLimits,
): InputSlot {
  const parameters = found[PARAMETERS]
  const binarySize = find(parameters, 'binary_data_size')
  const region = find(parameters, 'shared_memory_region')
  checkOneSource(dataAt >= 0, binarySize !== undefined, region !== undefined)
  const name = required(found[NAME], 'name')
  const datatype = required(found[DATATYPE], 'datatype')
  const shape = parseShape(found[SHAPE], name, limits)
  if (binarySize !== undefined) {
    const size = asUnsigned(binarySize, "Unable to parse 'binary_data_size'")
    if (typeof size === 'bigint') throw overflow(name)
    return {
      name,
      datatype: known(datatype, name),
      shape,
      binarySize: size,
      data: null,
      region: null,
    }
  }
  if (region !== undefined) {
    const ref = parseRegionRef(region, parameters)
    return { name, datatype: known(datatype, name), shape, binarySize: -1, data: null, region: ref }
  }

  const count = countOf(shape, name)
  if (count === 0) {
    return {
      name,
      datatype: known(datatype, name),
      shape,
      binarySize: -1,
      data: NO_DATA,
      region: null,
    }
  }
  let sink = early
  if (sink === null) {
    if (reader.bytes[dataAt] !== 0x5b) throw invalid(`Unable to parse 'data': ${TYPE_ERRORS.array}`)
    checkJsonDatatype(datatype, name)
    const bytes = count * DATATYPE_SIZES[datatype]
    if (!Number.isSafeInteger(bytes)) throw overflow(name)
    if (bytes > limits.bodyBytes) throw jsonTooLarge(name, bytes, limits)
    const after = reader.pos
    reader.pos = dataAt
    sink = scalarSink(datatype, count, after - dataAt)
    readTensorData(reader, sink)
    reader.pos = after
  }
  const data = sink.finish()
  if (sink.error !== null) {
    const context =
      datatype === 'BYTES' ? 'Unable to parse JSON bytes array' : "Unable to parse 'data'"
    throw invalid(`${context}: ${sink.error}`)
  }
  if (data.length > limits.bodyBytes) throw jsonTooLarge(name, data.length, limits)
  return { name, datatype: datatype as Datatype, shape, binarySize: -1, data, region: null }
}

function checkOneSource(data: boolean, binary: boolean, region: boolean): void {
  if (Number(data) + Number(binary) + Number(region) === 1) return
  let which = ' no field is set'
  if (data || binary || region) {
    which = ' set'
    if (data) which += " 'data'"
    if (binary) which += " 'binary_data_size'"
    if (region) which += " 'shared_memory_region'"
  }
  throw invalid(
    `Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters', 'shared_memory_region' in 'parameters'. But${which}`,
  )
}

function required(value: JsonValue | undefined, name: string): string {
  const context = `Unable to parse '${name}'`
  if (value === undefined) throw invalid(`${context}: ${missingMember(name)}`)
  return asString(value, context)
}

function known(datatype: string, input: string): Datatype {
  if (!isDatatype(datatype)) throw invalid(`invalid datatype for input ${input}`)
  return datatype
}

function checkJsonDatatype(datatype: string, input: string): asserts datatype is Datatype {
  known(datatype, input)
  if (datatype === 'FP16' || datatype === 'BF16') {
    throw invalid(
      `receiving ${datatype} data via JSON is not supported. Please use the binary data format for input ${input}`,
    )
  }
}

function parseShape(
  value: JsonValue | undefined,
  input: string,
  limits: ProtocolLimits,
): readonly number[] {
  const context = "Unable to parse 'shape'"
  if (value === undefined) throw invalid(`${context}: ${missingMember('shape')}`)
  if (!Array.isArray(value)) throw invalid(`${context}: ${TYPE_ERRORS.array}`)
  if (value.length > limits.dims) {
    throw invalid(`input '${input}' has ${value.length} dimensions, the limit is ${limits.dims}`)
  }
  for (const dim of value) {
    if (typeof asUnsigned(dim, context) === 'bigint') {
      throw invalid(
        `invalid shape for input '${input}': shape [${value.join(',')}] contains one or more invalid dimensions`,
      )
    }
  }
  return value as number[]
}

/** Elements of `shape`, whose dimensions are safe integers; beyond 2^53 a double would count wrong. */
function countOf(shape: readonly number[], input: string): number {
  let count = 1
  for (const dim of shape) count *= dim
  if (count <= Number.MAX_SAFE_INTEGER) return count
  throw invalid(
    `invalid shape for input '${input}': shape ${shapeText(shape)} causes total element count to exceed maximum size of ${Number.MAX_SAFE_INTEGER}`,
  )
}

function overflow(input: string): ServerError {
  return invalid(`byte size overflow for input '${input}'`)
}

export function jsonTooLarge(name: string, bytes: number, limits: ProtocolLimits): ServerError {
  return invalid(
    `JSON input '${name}' has a byte_size (${bytes} bytes) that exceeds the maximum allowed value of ${limits.bodyBytes} bytes. Use --http-max-input-size to increase the limit.`,
  )
}
