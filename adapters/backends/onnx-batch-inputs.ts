import type { Batch } from '../../core/backend/types.ts'
import { datatypeOfConfig } from '../../core/config/datatypes.ts'
import type { BatchInput, ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import { InferRequest } from '../../core/infer.ts'
import { byteSize, elementCount, type Tensor } from '../../core/tensor.ts'

/**
 * Inputs that describe the batch itself (`batch_input`): turns a batch into one request that holds the joined inputs
 * and these. `undefined` where the config has none, which costs nothing.
 */
export function batchInputs(config: ModelConfig): ((batch: Batch) => Batch) | undefined {
  const described = config.batch_input ?? []
  if (described.length === 0) return undefined
  const ragged = new Set(
    (config.input ?? []).filter((input) => input.allow_ragged_batch).map((input) => input.name),
  )
  return (batch) => {
    const inputs = joinedInputs(batch, ragged)
    for (const input of described) {
      for (const name of input.target_name ?? []) inputs.push(describe(name, input, batch))
    }
    return { requests: [new InferRequest({ inputs }, { answer() {} })], size: batch.size }
  }
}

function joinedInputs(batch: Batch, ragged: ReadonlySet<string | undefined>): Tensor[] {
  const first = batch.requests[0]?.inputs ?? []
  return first.map((tensor, index) => {
    const { name, datatype } = tensor
    const all = batch.requests.map((request) => request.inputs[index] ?? tensor)
    const data = new Uint8Array(all.reduce((size, one) => size + one.data.length, 0))
    let at = 0
    let elements = 0
    for (const one of all) {
      data.set(one.data, at)
      at += one.data.length
      elements += elementCount(one.shape)
    }
    const shape = ragged.has(name) ? [elements] : [batch.size, ...tensor.shape.slice(1)]
    return { name, datatype, shape, data }
  })
}

/** Values of one described input for each request, and its shape. */
function describe(name: string, input: BatchInput, batch: Batch): Tensor {
  const source = input.source_input?.[0] ?? ''
  const shapes = batch.requests.map((request) => {
    const tensor = request.inputs.find((one) => one.name === source)
    if (tensor === undefined) {
      throw new ServerError('INVALID_ARG', `batch input '${name}' needs the input '${source}'`)
    }
    return tensor.shape
  })
  const counts = shapes.map(elementCount)
  let sum = 0
  const accumulated = counts.map((count) => (sum += count))
  // A request of several rows stands for that many items of one shape.
  const items = shapes.flatMap((shape) => new Array(shape[0] ?? 1).fill(shape.slice(1)))
  const flat: number[] = items.flat()
  switch (input.kind) {
    case 'BATCH_ACCUMULATED_ELEMENT_COUNT':
      return numbers(name, input, [accumulated.length], accumulated)
    case 'BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO':
      return numbers(name, input, [accumulated.length + 1], [0, ...accumulated])
    case 'BATCH_MAX_ELEMENT_COUNT_AS_SHAPE': {
      const most = Math.max(...counts)
      return numbers(name, input, [most], new Array(most).fill(0))
    }
    case 'BATCH_ITEM_SHAPE':
      return numbers(name, input, [items.length, flat.length / Math.max(1, items.length)], flat)
    case 'BATCH_ITEM_SHAPE_FLATTEN':
      return numbers(name, input, [flat.length], flat)
    default:
      return numbers(name, input, [counts.length], counts)
  }
}

function numbers(name: string, input: BatchInput, shape: number[], values: number[]): Tensor {
  const datatype = datatypeOfConfig(input.data_type)
  if (datatype !== 'INT32' && datatype !== 'FP32') {
    throw new ServerError('INVALID_ARG', `batch input '${name}' must be TYPE_INT32 or TYPE_FP32`)
  }
  const array = datatype === 'INT32' ? Int32Array.from(values) : Float32Array.from(values)
  const data = new Uint8Array(array.buffer, 0, byteSize(datatype, shape))
  return { name, datatype, shape, data }
}
