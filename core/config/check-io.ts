import type { IoSpec, ModelIo } from '../backend/types.ts'
import { messageOf } from '../errors.ts'
import { shapeText } from '../tensor.ts'
import { checkSequenceTensors, countSequenceInputs } from './check-sequence-io.ts'
import { configOfDatatype } from './datatypes.ts'
import { type IoCheck, ioError } from './io-check.ts'
import type { ModelConfig, ModelInput, ModelOutput } from './types.ts'

/**
 * Holds a complete config against the model file's own inputs and outputs (`optional` inputs are initializers that
 * a request may override). Throws INVALID_ARG naming both sides in the words of Triton's onnxruntime backend.
 */
export function checkConfigAgainstIo(
  config: ModelConfig,
  io: ModelIo,
  options: { readonly modelName: string },
): void {
  checkAll({ config, io, model: options.modelName }, (one) => one())
}

/** All that {@link checkConfigAgainstIo} would throw, one message for each tensor. */
export function mismatches(config: ModelConfig, io: ModelIo, modelName: string): readonly string[] {
  const messages: string[] = []
  checkAll({ config, io, model: modelName }, (one) => {
    try {
      one()
    } catch (error) {
      messages.push(messageOf(error))
    }
  })
  return messages
}

/** Has `run` run each check. */
function checkAll(check: IoCheck, run: (one: () => void) => void): void {
  run(() => checkSequenceTensors(check))
  run(() => countInputs(check))
  for (const input of check.config.input ?? []) run(() => checkInput(check, input))
  const { batch_output } = check.config
  const scattered = new Set((batch_output ?? []).flatMap((one) => one.target_name ?? []))
  for (const output of check.config.output ?? []) {
    run(() => checkOutput(check, output, scattered.has(output.name ?? '')))
  }
}

function countInputs({ config, io, model }: IoCheck): void {
  const expected =
    (config.input ?? []).filter((input) => !input.optional).length +
    (config.batch_input?.length ?? 0) +
    countSequenceInputs(config)
  const provided = io.inputs.filter((spec) => !spec.optional).length
  if (provided !== expected) {
    throw ioError(
      `unable to load model '${model}', configuration expects ${expected} inputs, model provides ${provided}`,
    )
  }
}

function checkInput(check: IoCheck, input: ModelInput): void {
  const { config, io, model } = check
  if (input.optional && (config.max_batch_size ?? 0) !== 0) {
    throw ioError(
      `unable to load model '${model}', optional input '${input.name}' is not supported for models that support batching`,
    )
  }
  const spec = findSpec('input', input, io.inputs)
  checkDatatype(check, 'input', input, spec)
  if (input.allow_ragged_batch) checkRagged(check, input, spec)
  else checkShape(check, input, spec, false)
}

function checkOutput(check: IoCheck, output: ModelOutput, scattered: boolean): void {
  const spec = findSpec('output', output, check.io.outputs)
  checkDatatype(check, 'output', output, spec)
  if (!scattered) checkShape(check, output, spec, true)
}

function findSpec(
  side: 'input' | 'output',
  tensor: ModelInput | ModelOutput,
  specs: readonly IoSpec[],
): IoSpec {
  const spec = specs.find((known) => known.name === tensor.name)
  if (spec !== undefined) return spec
  const allowed = specs.map((known) => known.name).sort()
  throw ioError(
    `unexpected inference ${side} '${tensor.name}', allowed ${side}s are: ${allowed.join(', ')}`,
  )
}

function checkDatatype(
  { model }: IoCheck,
  side: 'input' | 'output',
  tensor: ModelInput | ModelOutput,
  spec: IoSpec,
): void {
  if (tensor.data_type === configOfDatatype(spec.datatype)) return
  throw ioError(
    `unable to load model '${model}', configuration expects datatype ${tensor.data_type} for ${side} '${tensor.name}', model provides TYPE_${spec.datatype}`,
  )
}

function checkRagged({ model }: IoCheck, input: ModelInput, spec: IoSpec): void {
  if (input.optional) {
    throw ioError(
      `unable to load model '${model}', configuration expects model provides input with shape [-1] for ragged input '${input.name}', which is not supported for optional input`,
    )
  }
  if (spec.shape.length !== 1 || spec.shape[0] !== -1) {
    throw ioError(
      `unable to load model '${model}', configuration expects model provides input with shape [-1]  for ragged input '${input.name}', model provides ${shapeText(spec.shape)}`,
    )
  }
}

/** `exact`: a free dimension of the model must be free in the config too (outputs). */
function checkShape(
  { model, config }: IoCheck,
  tensor: ModelInput | ModelOutput,
  spec: IoSpec,
  exact: boolean,
): void {
  const dims = tensor.reshape === undefined ? (tensor.dims ?? []) : (tensor.reshape.shape ?? [])
  if (spec.shape.length === 0) {
    if (dims.every((dim) => dim === 1)) return
    throw ioError(
      `unable to load model '${model}', scalar tensor '${tensor.name}', should only provide 1 in the model configuration when the model doesn't support batching. Model configuration provided: ${shapeText(dims)}.`,
    )
  }
  const subject = `model '${model}', tensor '${tensor.name}'`
  const shape = shapeText(spec.shape)
  const batching = (config.max_batch_size ?? 0) > 0
  if (batching && spec.shape[0] !== -1) {
    throw ioError(
      `${subject}: for the model to support batching the shape should have at least 1 dimension and the first dimension must be -1; but shape expected by the model is ${shape}`,
    )
  }
  const full = batching ? [-1, ...dims] : dims
  const fits = (dim: number, i: number): boolean => (!exact && dim === -1) || dim === full[i]
  if (full.length === spec.shape.length && spec.shape.every(fits)) return
  const prefix = `${subject}: the model expects ${spec.shape.length} dimensions (shape ${shape}) but the model configuration specifies ${full.length} dimensions`
  throw ioError(
    batching
      ? `${prefix} (an initial batch dimension because max_batch_size > 0 followed by the explicit tensor shape, making complete shape ${shapeText(full)})`
      : `${prefix} (shape ${shapeText(full)})`,
  )
}
