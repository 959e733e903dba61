import type { Batch, BatchResult } from '../backend/types.ts'
import { ServerError } from '../errors.ts'
import type { InferRequest, InferResponse } from '../infer.ts'
import { byteSize, elementCount, shapeText, type Tensor } from '../tensor.ts'
import type { OutputPlan } from './output-plan.ts'
import { scatterOutput } from './scatter.ts'
import { skipElements } from './skip-elements.ts'
import { trimOutput } from './trim-output.ts'
import { wantedNames } from './wanted-names.ts'

/**
 * Cuts a batch's joined outputs into one response per request: views, no copies, only the outputs a request asked for, in
 * the model's order whatever the request's (as Triton does). `result.release` runs when the last response was released. Throws INTERNAL when an output is missing or
 * does not have the batch's rows.
 */
export function splitResult(
  batch: Batch,
  result: BatchResult,
  plan: OutputPlan,
): readonly InferResponse[] {
  const count = batch.requests.length
  const release = count > 1 ? countDown(result.release, count) : result.release
  const parts = new Map<string, readonly Tensor[]>()
  const responses: InferResponse[] = []
  for (let i = 0; i < count; i++) {
    const request = batch.requests[i] as InferRequest
    const names = wantedNames(request, plan)
    const outputs: Tensor[] = []
    for (const name of names) {
      let cut = parts.get(name)
      if (cut === undefined) {
        cut = cutOutput(find(result, name), batch, plan)
        parts.set(name, cut)
      }
      outputs.push(cut[i] as Tensor)
    }
    responses.push(release === undefined ? { outputs } : { outputs, release })
  }
  return responses
}

/** {@link splitResult} of a batch of one; what the instance gave is passed on as it is wherever that is already right. */
export function wholeResult(
  request: InferRequest,
  size: number,
  result: BatchResult,
  plan: OutputPlan,
): InferResponse {
  const { outputs } = result
  const names = wantedNames(request, plan)
  let asItIs = outputs.length === names.length && plan.plain
  for (let i = 0; i < outputs.length && asItIs; i++) {
    const output = outputs[i] as Tensor
    asItIs = output.name === names[i] && (!plan.batches || output.shape[0] === size)
  }
  if (asItIs) return result
  return splitResult({ requests: [request], size }, result, plan)[0] as InferResponse
}

function find(result: BatchResult, name: string): Tensor {
  for (const output of result.outputs) if (output.name === name) return output
  throw new ServerError('INTERNAL', `the model gave no output '${name}'`)
}

function cutOutput(output: Tensor, batch: Batch, plan: OutputPlan): readonly Tensor[] {
  const scatter = plan.scatters?.get(output.name)
  if (scatter !== undefined) return scatterOutput(output, batch, scatter)
  const rows = cutRows(output, batch, plan)
  const trim = plan.trims?.get(output.name)
  if (trim === undefined) return rows
  return rows.map((part, i) => trimOutput(part, batch.requests[i] as InferRequest, trim))
}

/** One tensor per request: rows of `output` in request order. */
function cutRows(output: Tensor, batch: Batch, plan: OutputPlan): readonly Tensor[] {
  const { requests, size } = batch
  const { name, datatype, shape, data } = output
  const item = plan.batches ? shape.slice(1) : shape
  if (plan.batches && shape[0] !== size) {
    throw new ServerError(
      'INTERNAL',
      `output '${name}' has shape ${shapeText(shape)}, expected ${size} rows for a batch of ${size}`,
    )
  }
  const reshape = plan.reshapes?.get(name)
  const itemShape = reshape === undefined ? item : reshape(item)
  if (requests.length === 1) {
    if (reshape === undefined) return [output]
    return [{ name, datatype, shape: plan.batches ? [size, ...itemShape] : itemShape, data }]
  }
  const fixed = byteSize(datatype, shape)
  if (fixed >= 0 && fixed !== data.length) {
    throw new ServerError(
      'INTERNAL',
      `output '${name}' of shape ${shapeText(shape)} has ${data.length} bytes, expected ${fixed}`,
    )
  }
  const cut: Tensor[] = []
  const rowBytes = fixed / size
  const rowElements = elementCount(item)
  let at = 0
  let cutShape: readonly number[] = []
  for (const { batchSize } of requests) {
    const end =
      fixed >= 0 ? at + batchSize * rowBytes : skipElements(output, at, batchSize * rowElements)
    // Neighbours mostly have as many rows, and then share one shape.
    if (cutShape[0] !== batchSize) cutShape = [batchSize, ...itemShape]
    cut.push({ name, datatype, shape: cutShape, data: data.subarray(at, end) })
    at = end
  }
  return cut
}

function countDown(release: (() => void) | undefined, count: number): (() => void) | undefined {
  if (release === undefined) return undefined
  let left = count
  return () => {
    if (--left === 0) release()
  }
}
