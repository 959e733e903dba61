import { messageOf, ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import { shapeText, type Tensor } from '../tensor.ts'
import type { InputPlan } from './input-plan.ts'

/** Triton's texts for requests that do not fit their model, all INVALID_ARG. */
export interface CheckTexts {
  unexpectedOutput(name: string): ServerError
  unexpectedInput(name: string): ServerError
  duplicateInput(request: InferRequest, name: string): ServerError
  inputCount(request: InferRequest, plans: readonly InputPlan[]): ServerError
  noBatchDimension(request: InferRequest, name: string): ServerError
  batchMismatch(request: InferRequest, name: string): ServerError
  batchTooLarge(request: InferRequest, maxBatchSize: number): ServerError
  datatype(request: InferRequest, input: Tensor, plan: InputPlan): ServerError
  shape(request: InferRequest, input: Tensor, plan: InputPlan, batches: boolean): ServerError
  /** A shape that cannot be counted; `error` says why. */
  uncountable(request: InferRequest, name: string, error: unknown): ServerError
  byteSize(request: InferRequest, input: Tensor, expected: number): ServerError
  stringLength(request: InferRequest, name: string, available: number): ServerError
  stringData(name: string, length: number, available: number): ServerError
  extraString(request: InferRequest, name: string, at: number, expected: number): ServerError
  stringCount(request: InferRequest, name: string, expected: number, got: number): ServerError
}

const BATCH_NOTE =
  'NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be prepended to each input shape. ' +
  'If you want to specify the full shape including the batch dim in your input dims config, try setting max_batch_size to zero. ' +
  'See the model configuration docs for more info on max_batch_size.'

export function createCheckTexts(modelName: string, version: number): CheckTexts {
  const model = `model '${modelName}'`
  const bad = (text: string): ServerError => new ServerError('INVALID_ARG', text)
  return {
    unexpectedOutput: (name) => bad(`unexpected inference output '${name}' for ${model}`),
    unexpectedInput: (name) => bad(`unexpected inference input '${name}' for ${model}`),
    duplicateInput: (request, name) =>
      bad(`${request.logPrefix}input '${name}' already exists in request`),
    inputCount(request, plans) {
      const given = request.inputs.map((input) => input.name)
      const required = plans.filter((plan) => !plan.optional)
      const missing = required.map((plan) => plan.name).filter((name) => !given.includes(name))
      const expected =
        required.length === plans.length
          ? `${plans.length} inputs`
          : `number of inputs between ${required.length} and ${plans.length}`
      // Triton lists the given in its hash order, newest first, and drops the bracket of an empty list of missing ones.
      const got = `[${given.reverse().map(quote).join(',')}]`
      const lost = missing.length === 0 ? ']' : `[${missing.map(quote).join(',')}]`
      return bad(
        `${request.logPrefix}expected ${expected} but got ${given.length} inputs for ${model}. Got input(s) ${got}, but missing required input(s) ${lost}. Please provide all required input(s).`,
      )
    },
    noBatchDimension: (request, name) =>
      bad(
        `${request.logPrefix}input '${name}' has no shape but model requires batch dimension for '${modelName}'`,
      ),
    batchMismatch: (request, name) =>
      bad(
        `${request.logPrefix}input '${name}' batch size does not match other inputs for '${modelName}'`,
      ),
    batchTooLarge: (request, maxBatchSize) =>
      bad(
        `${request.logPrefix}inference request batch-size must be <= ${maxBatchSize} for '${modelName}'`,
      ),
    datatype: (request, input, plan) =>
      bad(
        `${request.logPrefix}inference input '${input.name}' data-type is '${input.datatype}', but ${model} expects '${plan.datatype}'`,
      ),
    shape(request, input, plan, batches) {
      const expected = shapeText(batches ? [-1, ...plan.dims] : plan.dims)
      return bad(
        `${request.logPrefix}unexpected shape for input '${input.name}' for ${model}. Expected ${expected}, got ${shapeText(input.shape)}. ${batches ? BATCH_NOTE : ''}`,
      )
    },
    uncountable: (request, name, error) =>
      bad(
        `${request.logPrefix}input '${name}' for ${model} version ${version}: ${messageOf(error)}`,
      ),
    byteSize: (request, input, expected) =>
      bad(
        `${request.logPrefix}input byte size mismatch for input '${input.name}' for ${model}. Expected ${expected}, got ${input.data.length}`,
      ),
    stringLength: (request, name, available) =>
      bad(
        `${request.logPrefix}incomplete string length indicator for inference input '${name}' for ${model}, expecting 4 bytes but only ${available} bytes available. Please make sure the string length indicator is in one buffer.`,
      ),
    stringData: (name, length, available) =>
      bad(
        `incomplete string data for inference input '${name}', expecting string of length ${length} but only ${available} bytes available`,
      ),
    extraString: (request, name, at, expected) =>
      bad(
        `${request.logPrefix}unexpected number of string elements ${at} for inference input '${name}' for ${model}, expecting ${expected}`,
      ),
    stringCount: (request, name, expected, got) =>
      bad(
        `${request.logPrefix}expected ${expected} string elements for inference input '${name}' for ${model}, got ${got}`,
      ),
  }
}

function quote(name: string): string {
  return `'${name}'`
}
