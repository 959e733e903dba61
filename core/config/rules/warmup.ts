import { MAX_TENSOR_DIMS } from '../../tensor.ts'
import { sizeOfConfigDatatype } from '../datatypes.ts'
import type { WarmupInput } from '../types.ts'
import type { Rule } from './rule.ts'

/** Bytes that the inputs of one warm-up sample may take, its batch size counted in. */
export const MAX_WARMUP_BYTES: number = 2 ** 31 - 1

/** Samples of batch size 0 are skipped, as Triton does. */
export const warmupsAreComplete: Rule = ({ config, name, fail }) => {
  for (const [i, warmup] of (config.model_warmup ?? []).entries()) {
    const rows = warmup.batch_size ?? 0
    if (rows === 0) continue
    let bytes = 0
    for (const [input, setting] of Object.entries(warmup.inputs ?? {})) {
      const problem = inputProblem(input, setting)
      if (problem !== undefined) throw fail(`model_warmup[${i}].inputs`, `${problem} for ${name}`)
      const size = sizeOfConfigDatatype(setting.data_type) || 4
      bytes += (setting.dims ?? []).reduce((product, dim) => product * dim, size * rows)
    }
    if (bytes > MAX_WARMUP_BYTES) {
      throw fail(
        `model_warmup[${i}]`,
        `warmup setting '${warmup.name ?? ''}' needs ${bytes} bytes, the limit is ${MAX_WARMUP_BYTES} for ${name}`,
      )
    }
  }
}

function inputProblem(input: string, setting: WarmupInput): string | undefined {
  const dims = setting.dims ?? []
  if (dims.includes(-1)) {
    return `warmup setting expects all variable-size dimensions are specified for input '${input}'`
  }
  if (dims.length > MAX_TENSOR_DIMS || !dims.every((dim) => dim >= 0)) {
    return `tensor '${input}' contains an invalid dimension in shape [${dims.slice(0, MAX_TENSOR_DIMS).join(',')}]`
  }
  if ((setting.data_type ?? 'TYPE_INVALID') === 'TYPE_INVALID') {
    return `warmup setting expects input '${input}' to have data_type set`
  }
  const { zero_data, random_data, input_data_file } = setting
  if (zero_data === undefined && random_data === undefined && input_data_file === undefined) {
    return `warmup setting expects input '${input}' to have input_data_type set`
  }
  return undefined
}
