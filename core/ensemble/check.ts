import type { ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import { shapeText } from '../tensor.ts'
import { checkCondition, conditionsOf } from './condition.ts'
import { type EnsembleCheckOptions, isDecoupled } from './decoupled.ts'
import { dimsFit } from './dims.ts'

/** An ensemble tensor as the first model that touches it declares it. */
interface Declared {
  readonly model: string
  readonly type: string
  readonly dims: readonly number[]
  /** With the batch dimension, where the model has one. */
  readonly full: readonly number[]
}

type Step = NonNullable<NonNullable<ModelConfig['ensemble_scheduling']>['step']>[number]

/**
 * Checks an ensemble against the models it is made of: names, datatypes, shapes and batch sizes. Returns whether it gives
 * any number of responses (decoupled). Throws INVALID_ARG with Triton's texts.
 */
export function checkEnsemble(options: EnsembleCheckOptions): boolean {
  const { config, composing } = options
  const name = config.name ?? ''
  const tensors = new Map<string, Declared>()
  // A tensor that is both input and output of the ensemble is what the input says.
  for (const io of [...(config.input ?? []), ...(config.output ?? [])]) {
    const dims = (io.reshape === undefined ? io.dims : io.reshape.shape) ?? []
    const tensor = io.name ?? ''
    if (!tensors.has(tensor)) tensors.set(tensor, declare(config, name, io.data_type, dims))
  }
  for (const step of config.ensemble_scheduling?.step ?? []) {
    const model = composing(step.model_name ?? '')
    const size = model.max_batch_size ?? 0
    if (size !== 0 && size < (config.max_batch_size ?? 0)) {
      throw invalid(
        `ensemble ${name} allows maximum batch size ${config.max_batch_size}, but it contains model ${step.model_name} which only allows maximum batch size to be ${size}`,
      )
    }
    checkInputs(name, step, model, tensors)
    checkOutputs(name, step, model, tensors)
  }
  const decoupled = isDecoupled(options)
  for (const condition of conditionsOf(config)) {
    checkCondition(config, condition, tensors.get(condition.tensor)?.type ?? '')
  }
  return decoupled
}

function checkInputs(
  ensemble: string,
  step: Step,
  config: ModelConfig,
  tensors: Map<string, Declared>,
): void {
  const model = step.model_name ?? ''
  const map = new Map(Object.entries(step.input_map ?? {}))
  const inputs = config.input ?? []
  for (const [input, tensor] of map) {
    if (inputs.some((one) => one.name === input)) continue
    throw invalid(
      `in ensemble ${ensemble}, ensemble tensor ${tensor} is mapping to non-existing input ${input} in model ${model}`,
    )
  }
  for (const input of inputs) {
    const tensor = map.get(input.name ?? '')
    if (tensor !== undefined) {
      meet(ensemble, tensor, declare(config, model, input.data_type, input.dims ?? []), tensors)
    } else if (input.optional !== true) {
      throw invalid(
        `in ensemble ${ensemble}, input ${input.name} in model ${model} is not mapped to any ensemble tensors`,
      )
    }
  }
}

function checkOutputs(
  ensemble: string,
  step: Step,
  config: ModelConfig,
  tensors: Map<string, Declared>,
): void {
  const model = step.model_name ?? ''
  const map = Object.entries(step.output_map ?? {})
  const outputs = new Map((config.output ?? []).map((output) => [output.name ?? '', output]))
  for (const [name, tensor] of map) {
    if (outputs.has(name)) continue
    throw invalid(
      `in ensemble ${ensemble}, ensemble tensor ${tensor} is mapped from non-existing output ${name} in model ${model}`,
    )
  }
  for (const [name, tensor] of map) {
    const output = outputs.get(name)
    meet(ensemble, tensor, declare(config, model, output?.data_type, output?.dims ?? []), tensors)
  }
}

function declare(
  config: ModelConfig,
  model: string,
  type = 'TYPE_INVALID',
  dims: readonly number[],
): Declared {
  return { model, type, dims, full: (config.max_batch_size ?? 0) > 0 ? [-1, ...dims] : dims }
}

/** A model without batching may take another's batch as a whole: then the shapes agree with the batch dimension in front. */
function meet(
  ensemble: string,
  tensor: string,
  given: Declared,
  tensors: Map<string, Declared>,
): void {
  const known = tensors.get(tensor)
  if (known === undefined) {
    tensors.set(tensor, given)
    return
  }
  const where = `in ensemble ${ensemble}, ensemble tensor ${tensor}:`
  if (known.type !== given.type) {
    throw invalid(
      `${where} inconsistent data type: ${known.type} is inferred from model ${known.model} while ${given.type} is inferred from model ${given.model}`,
    )
  }
  if (dimsFit(known.dims, given.dims) || dimsFit(known.full, given.full)) return
  throw invalid(
    `${where} inconsistent shape: ${shapeText(known.full)} is inferred from model ${known.model} while ${shapeText(given.full)} is inferred from model ${given.model}`,
  )
}

function invalid(message: string): ServerError {
  return new ServerError('INVALID_ARG', message)
}
