import { packBytes } from '../../bytes.ts'
import type { ServedModel } from '../../server-types.ts'
import { byteSize, DATATYPE_SIZES, type Tensor } from '../../tensor.ts'
import { invalid } from './json-value.ts'

const PREFIX = '[request id: <id_unknown>] '

/**
 * The only input of `model` from a body that is nothing but its bytes. Batching models get a batch of one; one free
 * dimension is deduced from the length; a BYTES input must hold exactly one element, which is the body.
 */
export function rawInput(body: Uint8Array, model: ServedModel): Tensor {
  const input = model.inputs[0]
  if (input === undefined || model.inputs.length !== 1) {
    throw invalid(
      `${PREFIX}Raw request must only have 1 input (found 1) to be deduced but got ${model.inputs.length} inputs in '${model.name}' model configuration`,
    )
  }
  const { name, datatype } = input
  const batching = (model.config.max_batch_size ?? 0) > 0
  const shape = batching ? [1, ...input.shape.slice(1)] : [...input.shape]
  let free = -1
  let elements = 1
  for (let i = batching ? 1 : 0; i < shape.length; i++) {
    const dim = shape[i] as number
    if (dim >= 0) elements *= dim
    else if (free < 0) free = i
    else {
      throw invalid(
        `${PREFIX}The shape of the raw input '${name}' can not be deduced because there are more than one variable-sized dimension`,
      )
    }
  }
  if (datatype === 'BYTES') {
    if (free >= 0 || elements !== 1) {
      throw invalid(
        `${PREFIX}For BYTE datatype raw input '${name}', the model must have input shape [1]`,
      )
    }
    return { name, datatype, shape, data: packBytes([body]) }
  }
  if (free >= 0) {
    const row = elements * DATATYPE_SIZES[datatype]
    shape[free] = row === 0 ? 0 : Math.floor(body.length / row)
  }
  const expected = byteSize(datatype, shape)
  if (body.length !== expected) {
    throw invalid(
      `${PREFIX}input byte size mismatch for input 'raw_input' for model '${model.name}'. Expected ${expected}, got ${body.length}`,
    )
  }
  return { name, datatype, shape, data: body }
}
