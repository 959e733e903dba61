import { ServerError } from '../../errors.ts'
import type { ParameterValue } from '../../infer.ts'
import type { ProtocolLimits } from '../limits.ts'
import { BYTES, FIXED64, ProtoReader, VARINT } from './proto-reader.ts'
import { readText } from './proto-text.ts'
import { TensorContents } from './tensor-contents.ts'

/** Bytes (UTF-8) of a name, a datatype, a version or a parameter's key. */
export const MAX_NAME_BYTES = 4096

/** An InferParameter of type uint64: nothing but `priority` takes one. */
export class Uint64Parameter {
  readonly value: bigint

  constructor(value: bigint) {
    this.value = value
  }
}

/** `bigint` is an int64, `number` a double; null = no value. */
export type MessageParameter = ParameterValue | Uint64Parameter | null
export type MessageParameters = ReadonlyMap<string, MessageParameter>

export interface MessageInput {
  name: string
  datatype: string
  shape: number[]
  parameters: Map<string, MessageParameter> | null
  /** Values that are not raw bytes; null = absent. */
  contents: TensorContents | null
}

export interface MessageOutput {
  name: string
  parameters: Map<string, MessageParameter> | null
}

/** A ModelInferRequest as it was sent: nothing in it is checked yet. */
export class InferMessage {
  modelName = ''
  modelVersion = ''
  id = ''
  parameters: Map<string, MessageParameter> | null = null
  readonly inputs: MessageInput[] = []
  readonly outputs: MessageOutput[] = []
  readonly raw: Uint8Array[] = []
  /** The first limit that it passes: to be thrown before anything else is made of it. */
  problem: ServerError | null = null
}

/** Reads a ModelInferRequest. Throws ProtoError when it is malformed; a limit it passes is its `problem`. */
export function parseInferMessage(bytes: Uint8Array, limits: ProtocolLimits): InferMessage {
  return new Parser(bytes, limits).parse()
}

const field = (number: number, wire: number): number => (number << 3) | wire

const MODEL_NAME = field(1, BYTES)
const MODEL_VERSION = field(2, BYTES)
const ID = field(3, BYTES)
const PARAMETERS = field(4, BYTES)
const INPUTS = field(5, BYTES)
const OUTPUTS = field(6, BYTES)
const RAW = field(7, BYTES)
const NAME = field(1, BYTES)
const DATATYPE = field(2, BYTES)
const SHAPE = field(3, VARINT)
const PACKED_SHAPE = field(3, BYTES)
const INPUT_PARAMETERS = field(4, BYTES)
const CONTENTS = field(5, BYTES)
const OUTPUT_PARAMETERS = field(2, BYTES)
const KEY = field(1, BYTES)
const VALUE = field(2, BYTES)
const BOOL_PARAM = field(1, VARINT)
const INT64_PARAM = field(2, VARINT)
const STRING_PARAM = field(3, BYTES)
const DOUBLE_PARAM = field(4, FIXED64)
const UINT64_PARAM = field(5, VARINT)

class Parser {
  readonly #reader: ProtoReader
  readonly #limits: ProtocolLimits
  readonly #message = new InferMessage()

  constructor(bytes: Uint8Array, limits: ProtocolLimits) {
    this.#reader = new ProtoReader(bytes)
    this.#limits = limits
  }

  parse(): InferMessage {
    const message = this.#message
    const reader = this.#reader
    const { tensors } = this.#limits
    let inputs = 0
    let outputs = 0
    let raw = 0
    for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
      if (tag === MODEL_NAME) message.modelName = this.#name('model name')
      else if (tag === MODEL_VERSION) message.modelVersion = this.#name('model version')
      else if (tag === ID) message.id = this.#text('request id', this.#limits.idBytes)
      else if (tag === PARAMETERS) message.parameters = this.#parameter(message.parameters)
      else if (tag === INPUTS) {
        if (inputs++ < tensors) message.inputs.push(this.#input())
        else reader.skip(tag)
      } else if (tag === OUTPUTS) {
        if (outputs++ < tensors) message.outputs.push(this.#output())
        else reader.skip(tag)
      } else if (tag === RAW) {
        if (raw++ < tensors) message.raw.push(reader.view())
        else reader.skip(tag)
      } else reader.skip(tag)
    }
    this.#limit('request', inputs, 'inputs', tensors)
    this.#limit('request', outputs, 'outputs', tensors)
    this.#limit('request', raw, 'raw input contents', tensors)
    return message
  }

  #input(): MessageInput {
    const reader = this.#reader
    const input: MessageInput = {
      name: '',
      datatype: '',
      shape: [],
      parameters: null,
      contents: null,
    }
    let dims = 0
    const outer = reader.enter()
    for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
      if (tag === NAME) input.name = this.#name('input name')
      else if (tag === DATATYPE) input.datatype = this.#name('datatype')
      else if (tag === PACKED_SHAPE) {
        const end = reader.enter()
        while (reader.pos < reader.end) this.#dim(input.shape, dims++)
        reader.leave(end)
      } else if (tag === SHAPE) this.#dim(input.shape, dims++)
      else if (tag === INPUT_PARAMETERS) input.parameters = this.#parameter(input.parameters)
      else if (tag === CONTENTS) input.contents = this.#contents(input.contents)
      else reader.skip(tag)
    }
    reader.leave(outer)
    this.#limit(`input '${input.name}'`, dims, 'dimensions', this.#limits.dims)
    return input
  }

  #contents(known: TensorContents | null): TensorContents {
    const contents = known ?? new TensorContents()
    if (!contents.add(this.#reader.view())) this.#refuse('tensor contents in too many pieces')
    return contents
  }

  #dim(shape: number[], index: number): void {
    const dim = this.#reader.int64()
    if (index < this.#limits.dims) shape.push(dim)
  }

  #output(): MessageOutput {
    const reader = this.#reader
    const output: MessageOutput = { name: '', parameters: null }
    const outer = reader.enter()
    for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
      if (tag === NAME) output.name = this.#name('output name')
      else if (tag === OUTPUT_PARAMETERS) output.parameters = this.#parameter(output.parameters)
      else reader.skip(tag)
    }
    reader.leave(outer)
    return output
  }

  /** Reads one entry of a map into `known`, which is made when there is none. A key's last entry counts. */
  #parameter(known: Map<string, MessageParameter> | null): Map<string, MessageParameter> {
    const reader = this.#reader
    const parameters = known ?? new Map<string, MessageParameter>()
    let key = ''
    let value: MessageParameter = null
    const outer = reader.enter()
    for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
      if (tag === KEY) key = this.#name('parameter name')
      else if (tag === VALUE) value = this.#value(value, key)
      else reader.skip(tag)
    }
    reader.leave(outer)
    if (parameters.size < this.#limits.parameters || parameters.has(key)) parameters.set(key, value)
    else this.#refuse(`more than ${this.#limits.parameters} parameters`)
    return parameters
  }

  /** An InferParameter; the last of its fields counts, `before` when it has none. */
  #value(before: MessageParameter, key: string): MessageParameter {
    const reader = this.#reader
    let value = before
    const outer = reader.enter()
    for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
      if (tag === BOOL_PARAM) value = reader.bool()
      else if (tag === INT64_PARAM) value = reader.int64Exact()
      else if (tag === STRING_PARAM) {
        value = this.#text(`parameter '${key}'`, this.#limits.stringParameterBytes)
      } else if (tag === DOUBLE_PARAM) value = reader.double()
      else if (tag === UINT64_PARAM) value = new Uint64Parameter(reader.uint64Exact())
      else reader.skip(tag)
    }
    reader.leave(outer)
    return value
  }

  #name(what: string): string {
    return this.#text(what, MAX_NAME_BYTES)
  }

  #text(what: string, limit: number): string {
    const reader = this.#reader
    const to = reader.length()
    const from = reader.pos
    reader.pos = to
    if (to - from <= limit) return readText(reader.bytes, from, to)
    this.#refuse(`${what} has ${to - from} bytes, the limit is ${limit}`)
    return ''
  }

  #limit(what: string, count: number, things: string, limit: number): void {
    if (count > limit) this.#refuse(`${what} has ${count} ${things}, the limit is ${limit}`)
  }

  #refuse(message: string): void {
    this.#message.problem ??= new ServerError('INVALID_ARG', message)
  }
}
