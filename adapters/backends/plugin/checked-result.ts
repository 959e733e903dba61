import type { Batch, BatchResult } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { InferRequest, InferResponse, Parameters } from '../../../core/infer.ts'
import { byteSize, elementCount, isDatatype, shapeText, type Tensor } from '../../../core/tensor.ts'
import { isErrorLike, pluginError } from './errors.ts'

/** Datatypes of a model's outputs by name. */
export type OutputTypes = ReadonlyMap<string, string>

/** What a plug-in answered a batch, once it is what it has to be. Throws INTERNAL that says what it is instead. */
export function checkedResult(given: unknown, batch: Batch, types: OutputTypes): BatchResult {
  const from = record(given, 'an answer')
  const outputs = tensors(from['outputs'], types)
  const release = releaseOf(from)
  const { answers, again } = from
  if (answers === undefined && again === undefined) {
    return release === undefined ? { outputs } : { outputs, release }
  }
  return {
    outputs,
    ...(release === undefined ? {} : { release }),
    ...(answers === undefined ? {} : { answers: checkedAnswers(answers, batch, types) }),
    ...(again === undefined ? {} : { again: checkedAgain(again, batch) }),
  }
}

/** One response of its own. Throws as {@link checkedResult}. */
export function checkedResponse(given: unknown, types: OutputTypes): InferResponse {
  const from = record(given, 'a response')
  const outputs = tensors(from['outputs'], types)
  const release = releaseOf(from)
  const { parameters } = from
  if (parameters === undefined) return release === undefined ? { outputs } : { outputs, release }
  if (!(parameters instanceof Map)) throw nonsense("a response's parameters are no Map")
  const told = { outputs, parameters: parameters as Parameters }
  return release === undefined ? told : { ...told, release }
}

function releaseOf(from: Record<string, unknown>): (() => void) | undefined {
  const { release } = from
  return typeof release === 'function' ? () => void release.call(from) : undefined
}

function checkedAnswers(
  given: unknown,
  { requests }: Batch,
  types: OutputTypes,
): (InferResponse | ServerError)[] {
  if (!Array.isArray(given) || given.length !== requests.length) {
    throw nonsense(`'answers' is no array with one for each of ${requests.length} requests`)
  }
  return given.map((one: unknown) => {
    if (isErrorLike(one)) return pluginError(one, 'the model failed')
    try {
      return checkedResponse(one, types)
    } catch (error) {
      return ServerError.from(error)
    }
  })
}

function checkedAgain(given: unknown, { requests }: Batch): readonly InferRequest[] {
  if (!Array.isArray(given) || !given.every((one) => requests.includes(one))) {
    throw nonsense("'again' has what is no request of the batch")
  }
  return given as readonly InferRequest[]
}

function tensors(given: unknown, types: OutputTypes): readonly Tensor[] {
  if (!Array.isArray(given)) throw nonsense("'outputs' is no array")
  for (let i = 0; i < given.length; i++) checkTensor(given[i], types)
  return given as readonly Tensor[]
}

function checkTensor(given: unknown, types: OutputTypes): void {
  const { name, datatype, shape, data } = record(given, 'an output')
  if (typeof name !== 'string') throw nonsense('an output has no name')
  if (typeof datatype !== 'string' || !isDatatype(datatype)) {
    throw nonsense(`${outputCalled(name)} has the datatype '${String(datatype).slice(0, 80)}'`)
  }
  const declared = types.get(name)
  if (declared !== undefined && declared !== datatype) {
    throw nonsense(
      `${outputCalled(name)} is ${datatype}, the model's configuration says ${declared}`,
    )
  }
  if (!Array.isArray(shape)) throw nonsense(`${outputCalled(name)} has no shape`)
  if (!(data instanceof Uint8Array))
    throw nonsense(`the data of ${outputCalled(name)} is no Uint8Array`)
  const expected = byteSize(datatype, shape)
  if (expected >= 0 && expected !== data.length) {
    throw nonsense(
      `${outputCalled(name)} of shape ${shapeText(shape)} has ${data.length} bytes, expected ${expected}`,
    )
  }
  if (expected < 0) checkStrings(name, data, elementCount(shape))
}

function checkStrings(name: string, data: Uint8Array, count: number): void {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  let at = 0
  let left = count
  for (; left > 0 && at + 4 <= data.length; left--) at += 4 + view.getUint32(at, true)
  if (left > 0 || at !== data.length) {
    throw nonsense(`the data of ${outputCalled(name)} is not ${count} strings`)
  }
}

const outputCalled = (name: string): string => `output '${name.slice(0, 80)}'`

function record(given: unknown, what: string): Record<string, unknown> {
  if (typeof given !== 'object' || given === null) throw nonsense(`${what} is no object`)
  return given as Record<string, unknown>
}

function nonsense(message: string): ServerError {
  return new ServerError('INTERNAL', message)
}
