import type { InferRequest, InferRequestOptions } from '../../../core/infer.ts'
import type { Tensor } from '../../../core/tensor.ts'
import { parametersJson, readParameters } from './parameters-json.ts'
import type { WireTensor } from './received-tensors.ts'
import type { TensorWriter } from './tensor-writer.ts'

const SEQUENCE_START = 1
const SEQUENCE_END = 2

/** A request as a worker reads it; what is as it mostly is stays away. */
export function requestJson(request: InferRequest, writer: TensorWriter): string {
  const { id, sequenceId, sequenceStart, sequenceEnd, timeoutUs, priority } = request
  const { parameters, outputs, inputs } = request
  let text = '{'
  if (id !== '') text += `"id":${JSON.stringify(id)},`
  if (sequenceId !== 0n && sequenceId !== '')
    text += `"correlation":${correlationJson(sequenceId)},`
  if (sequenceStart || sequenceEnd) {
    text += `"flags":${(sequenceStart ? SEQUENCE_START : 0) | (sequenceEnd ? SEQUENCE_END : 0)},`
  }
  if (timeoutUs !== 0) text += `"timeout":${timeoutUs},`
  if (priority !== 0) text += `"priority":${priority},`
  if (parameters !== null && parameters.size > 0) {
    text += `"parameters":${parametersJson(parameters)},`
  }
  if (outputs !== null) text += `"outputs":${JSON.stringify(outputs)},`
  return `${text}"inputs":${writer.write(inputs)}}`
}

function correlationJson(id: bigint | string): string {
  return typeof id === 'bigint' ? `["${id}"]` : JSON.stringify(id)
}

/** What a worker's request says, as the server takes it. Throws for what is no request. */
export function readRequest(
  value: unknown,
  check: (list: unknown) => readonly WireTensor[],
): (tensors: (list: readonly WireTensor[]) => Tensor[]) => InferRequestOptions {
  if (typeof value !== 'object' || value === null) throw new Error('a request is an object')
  const { id, correlation, flags, timeout, priority, parameters, outputs, inputs } =
    value as Record<string, unknown>
  const bits = numberOr(flags, 0)
  const list = check(inputs)
  const options = {
    id: typeof id === 'string' ? id : '',
    sequenceId: readCorrelation(correlation),
    sequenceStart: (bits & SEQUENCE_START) !== 0,
    sequenceEnd: (bits & SEQUENCE_END) !== 0,
    timeoutUs: numberOr(timeout, 0),
    priority: numberOr(priority, 0),
    parameters: readParameters(parameters) ?? null,
    outputs: readNames(outputs),
  }
  return (tensors) => ({ ...options, inputs: tensors(list) })
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : otherwise
}

function readCorrelation(value: unknown): bigint | string {
  if (typeof value === 'string') return value
  if (Array.isArray(value) && typeof value[0] === 'string' && /^\d{1,20}$/.test(value[0])) {
    return BigInt(value[0])
  }
  return 0n
}

function readNames(value: unknown): readonly string[] | null {
  if (!Array.isArray(value)) return null
  if (value.some((name) => typeof name !== 'string')) throw new Error('outputs are names')
  return [...new Set(value as string[])]
}
