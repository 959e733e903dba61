import { MAX_TENSOR_DIMS } from '../../tensor.ts'
import type { ModelInput, ModelOutput } from '../types.ts'
import { reshapeProblem } from './reshape.ts'
import type { Rule } from './rule.ts'

type Side = 'input' | 'output'

/** Rules of each input and output by itself, in Triton's order. */
export const tensorsAreComplete: Rule = ({ config, name, fail }) => {
  for (const side of ['input', 'output'] as const) {
    for (const [i, tensor] of (config[side] ?? []).entries()) {
      const batching = (config.max_batch_size ?? 0) > 0
      const problem =
        shapeProblem(side, tensor, batching) ??
        formatProblem(tensor) ??
        tensorRtProblem(side, tensor, config.platform === 'tensorrt_plan')
      if (problem !== undefined) throw fail(`${side}[${i}]`, `${problem} for ${name}`)
    }
  }
}

export const tensorNamesAreUnique: Rule = ({ config, name, fail }) => {
  for (const side of ['input', 'output'] as const) {
    const seen = new Set<string>()
    for (const [i, tensor] of (config[side] ?? []).entries()) {
      const key = tensor.name ?? ''
      if (seen.has(key)) {
        throw fail(
          `${side}[${i}]`,
          `model ${side} '${key}' is specified more than once for ${name}`,
        )
      }
      seen.add(key)
    }
  }
}

function shapeProblem(
  side: Side,
  tensor: ModelInput | ModelOutput,
  batching: boolean,
): string | undefined {
  if (!tensor.name) return `model ${side} must specify 'name'`
  const subject = `model ${side} '${tensor.name}'`
  if ((tensor.data_type ?? 'TYPE_INVALID') === 'TYPE_INVALID') {
    return `${subject} must specify 'data_type'`
  }
  const dims = tensor.dims ?? []
  if (dims.length === 0) return `${subject} must specify 'dims'`
  if (tensor.reshape !== undefined && !tensor.reshape.shape?.length && !batching) {
    return `${subject} cannot have empty reshape for non-batching model as scalar tensors are not supported`
  }
  if (!dims.every(isDim)) {
    return `${subject} dimension must be integer >= 1, or -1 to indicate a variable-size dimension`
  }
  if (dims.length > MAX_TENSOR_DIMS) {
    return `${subject} has ${dims.length} dims, the limit is ${MAX_TENSOR_DIMS}`
  }
  if (tensor.reshape === undefined) return undefined
  const shape = tensor.reshape.shape ?? []
  if (!shape.every(isDim)) {
    return `${subject} reshape dimensions must be integer >= 1, or -1 to indicate a variable-size dimension`
  }
  if (shape.length > MAX_TENSOR_DIMS) {
    return `${subject} reshape has ${shape.length} dims, the limit is ${MAX_TENSOR_DIMS}`
  }
  return reshapeProblem(tensor.name, dims, shape, `${subject} `)
}

function isDim(dim: number): boolean {
  return dim >= 1 || dim === -1
}

function formatProblem(tensor: ModelInput): string | undefined {
  const picture = tensor.format === 'FORMAT_NHWC' || tensor.format === 'FORMAT_NCHW'
  if (!picture || tensor.dims?.length === 3) return undefined
  return 'model input NHWC/NCHW require 3 dims'
}

function tensorRtProblem(
  side: Side,
  tensor: ModelInput | ModelOutput,
  tensorRt: boolean,
): string | undefined {
  if (tensor.is_shape_tensor && !tensorRt) {
    return 'shape tensors are only supported for TensorRT platform'
  }
  if (!tensor.is_non_linear_format_io) return undefined
  if (!tensorRt) return 'Non-linear IO format is only supported for the TensorRT platform'
  return tensor.dims?.length === 3 ? undefined : `Non-linear IO format ${side} requires 3 dims`
}
