import { ServerError } from '../../errors.ts'
import type { Tensor } from '../../tensor.ts'
import { classify } from '../classification.ts'
import type { MessageMemory } from './message-memory.ts'
import { textSize, writeText } from './proto-text.ts'
import { fieldSize, varintSize, writeVarint } from './proto-writer.ts'
import { makeTemplate, templateFits } from './response-template.ts'
import type { EncodedMessage, GrpcEncodeOptions, GrpcOutput, ResponseTemplate } from './types.ts'

/** Larger tensors are not copied: they are parts of their own. */
export const COPIED_TENSOR_BYTES: number = 16 * 1024
/** Bytes of a message, as gRPC's own servers bound it. */
export const MAX_MESSAGE_BYTES = 0x7fff_ffff

const ID_TAG = (3 << 3) | 2
const RAW_TAG = (6 << 3) | 2
const STREAM_RESPONSE_TAG = (2 << 3) | 2
const STREAM_ERROR_TAG = (1 << 3) | 2
const NO_DATA = new Uint8Array(0)

/**
 * A ModelInferResponse. Outputs that are wanted in shared memory are written there. Throws ServerError with Triton's texts:
 * classes of a datatype that has none, a region that is too small, a message beyond 2 GiB.
 */
export function encodeInferResponse(options: GrpcEncodeOptions): EncodedMessage {
  return encode(options, false)
}

/** A ModelStreamInferResponse with the response in it; `triton_final_response` says what `final` says. */
export function encodeStreamResponse(options: GrpcEncodeOptions): EncodedMessage {
  return encode(options, true)
}

export interface StreamErrorOptions {
  readonly message: string
  /** The request's id; '' = none. */
  readonly id: string
  /** As the request wrote them; absent for a request that never ran, of which Triton repeats the id alone. */
  readonly modelName?: string
  readonly modelVersion?: string
  /** `triton_final_response`; absent for a request that never ran. */
  readonly final?: boolean
  readonly headroom: number
}

/** A ModelStreamInferResponse that says what went wrong with one request. */
export function encodeStreamError(options: StreamErrorOptions): EncodedMessage {
  const template = makeTemplate(options.modelName ?? '', options.modelVersion ?? '', undefined, [])
  return assemble({
    template,
    id: options.id,
    data: [],
    final: options.final,
    stream: true,
    error: options.message,
    headroom: options.headroom,
    memory: undefined,
  })
}

function encode(options: GrpcEncodeOptions, stream: boolean): EncodedMessage {
  const { response, outputs, model, memo, id, headroom, final } = options
  if (response === null) {
    const template = makeTemplate(model.name, options.requestedVersion ?? '', undefined, [])
    return assemble({
      template,
      id,
      data: [],
      final,
      stream,
      error: '',
      headroom,
      memory: memo?.memory,
    })
  }
  let template = memo?.template
  let tensors = response.outputs
  if (!template || !templateFits(template, response)) {
    const plain = outputs === null || outputs.every((o) => o.classification === 0 && !o.region)
    if (!plain) tensors = tensors.map((tensor) => asWanted(tensor, options))
    template = makeTemplate(model.name, String(model.version), response.parameters, tensors)
    if (memo && plain && response.parameters === undefined) memo.template = template
  }
  const data: Uint8Array[] = new Array(tensors.length)
  for (let i = 0; i < tensors.length; i++) data[i] = (tensors[i] as Tensor).data
  return assemble({ template, id, data, final, stream, error: '', headroom, memory: memo?.memory })
}

/** The output as its request wants it: classes, or no bytes because they are in shared memory. */
function asWanted(tensor: Tensor, options: GrpcEncodeOptions): Tensor {
  const wanted = findOutput(options.outputs ?? [], tensor.name)
  if (wanted === undefined) return tensor
  if (wanted.region !== null) {
    if (options.lease === null) throw new Error('an output in shared memory without a lease')
    if (tensor.data.length > 0) options.lease.write(tensor.name, wanted.region, tensor.data)
    return { ...tensor, data: NO_DATA }
  }
  if (wanted.classification === 0) return tensor
  return classify(tensor, {
    count: wanted.classification,
    batching: (options.model.config.max_batch_size ?? 0) > 0,
    labels: options.model.labels(tensor.name),
    maxElements: options.limits.classificationElements,
  })
}

function findOutput(outputs: readonly GrpcOutput[], name: string): GrpcOutput | undefined {
  for (const output of outputs) if (output.name === name) return output
  return undefined
}

interface Assembly {
  readonly template: ResponseTemplate
  readonly id: string
  /** Of each output, in order; empty where it is elsewhere. */
  readonly data: readonly Uint8Array[]
  readonly final: boolean | undefined
  readonly stream: boolean
  readonly error: string
  readonly headroom: number
  readonly memory: MessageMemory | undefined
}

/** Puts a message together: everything but large tensors in one piece of memory. */
function assemble(assembly: Assembly): EncodedMessage {
  const { template, id, data, final, stream, error, headroom, memory } = assembly
  const { head, body } = template
  const idSize = textSize(id)
  let size = head.length + body.length + (idSize === 0 ? 0 : fieldSize(idSize))
  let large = 0
  for (let i = 0; i < data.length; i++) {
    const { length } = data[i] as Uint8Array
    size += fieldSize(length)
    if (length > COPIED_TENSOR_BYTES) large += length
  }
  if (size > MAX_MESSAGE_BYTES) throw tooLarge(size)
  const finalField = final === undefined ? NO_DATA : final ? FINAL : NOT_FINAL
  size += finalField.length
  const errorSize = textSize(error)
  const outer = (errorSize === 0 ? 0 : fieldSize(errorSize)) + (stream ? 1 + varintSize(size) : 0)
  const allocated = headroom + outer + size - large
  const bytes = memory === undefined ? new Uint8Array(allocated) : memory.take(allocated)
  let at = headroom
  if (errorSize > 0) {
    bytes[at++] = STREAM_ERROR_TAG
    at = writeText(bytes, writeVarint(bytes, at, errorSize), error, errorSize)
  }
  if (stream) {
    bytes[at++] = STREAM_RESPONSE_TAG
    at = writeVarint(bytes, at, size)
  }
  bytes.set(head, at)
  at += head.length
  if (idSize > 0) {
    bytes[at++] = ID_TAG
    at = writeText(bytes, writeVarint(bytes, at, idSize), id, idSize)
  }
  if (finalField.length > 0) {
    bytes.set(finalField, at)
    at += finalField.length
  }
  bytes.set(body, at)
  return writeTensors(bytes, at + body.length, data, outer + size)
}

/** Writes the raw tensors from `from` on, the large ones as parts of their own. */
function writeTensors(
  bytes: Uint8Array,
  from: number,
  data: readonly Uint8Array[],
  byteLength: number,
): EncodedMessage {
  const parts: Uint8Array[] = []
  let at = from
  let written = 0
  for (let i = 0; i < data.length; i++) {
    const tensor = data[i] as Uint8Array
    bytes[at++] = RAW_TAG
    at = writeVarint(bytes, at, tensor.length)
    if (tensor.length > COPIED_TENSOR_BYTES) {
      parts.push(bytes.subarray(written, at), tensor)
      written = at
    } else {
      bytes.set(tensor, at)
      at += tensor.length
    }
  }
  if (written === 0) parts.push(bytes)
  else if (written < bytes.length) parts.push(bytes.subarray(written))
  return { parts, byteLength }
}

function tooLarge(size: number): ServerError {
  return new ServerError(
    'INVALID_ARG',
    `Response has byte size ${size} which exceeds gRPC's byte size limit ${MAX_MESSAGE_BYTES}.`,
  )
}

/** `parameters["triton_final_response"]`. */
function finalParameter(final: boolean): Uint8Array {
  return makeTemplate('', '', new Map([['triton_final_response', final]]), []).body
}
const FINAL = finalParameter(true)
const NOT_FINAL = finalParameter(false)
